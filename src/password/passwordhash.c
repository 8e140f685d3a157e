#include "password/passwordhash.h"

#include <crypt.h>
#include <errno.h>
#include <string.h>

/* Of nobody; the same kind as password_hash makes. */
#define EXAMPLE "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"

bool password_hash(const char *password, struct buf *hash, struct err *e)
{
	static const char *const kinds[] = { "$y$", "$6$" };
	struct crypt_data data = { 0 };
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	const char *made = NULL;

	if (strlen(password) > PASSWORD_MAX)
		return err_perm(e, "a password may have %d bytes", PASSWORD_MAX);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds && made == NULL; i++) {
		if (crypt_gensalt_rn(kinds[i], 0, NULL, 0, setting, sizeof setting))
			made = crypt_r(password, setting, &data);
		if (made && *made == '*')
			made = NULL;
	}
	if (made)
		buf_addz(hash, made);
	explicit_bzero(&data, sizeof data);
	return made != NULL || err_sys(e, errno, "unable to hash a password");
}

/* The time must not tell how much of it was right. */
static bool same(const char *a, const char *b)
{
	size_t n = strlen(a);
	unsigned char different = 0;

	if (n != strlen(b))
		return false;
	for (size_t i = 0; i < n; i++)
		different |= (unsigned char)(a[i] ^ b[i]);
	return different == 0;
}

bool password_matches(const char *password, const char *hash)
{
	struct crypt_data data = { 0 };
	const char *made;
	bool ok;

	if (*hash == 0 || *hash == '!' || *hash == '*' || strlen(password) > PASSWORD_MAX) {
		password_waste_time(password);
		return false;
	}
	made = crypt_r(password, hash, &data);
	ok = made != NULL && *made != '*' && same(made, hash);
	explicit_bzero(&data, sizeof data);
	return ok;
}

void password_waste_time(const char *password)
{
	struct crypt_data data = { 0 };

	(void)crypt_r(strlen(password) > PASSWORD_MAX ? "" : password, EXAMPLE, &data);
	explicit_bzero(&data, sizeof data);
}
