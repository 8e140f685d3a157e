#include "outbound/outidentity.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

#define HELO_MAX 255

static bool next_word(struct str *rest, struct str *word)
{
	size_t n = 0;

	*rest = str_trim_start(*rest);
	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t')
		n++;
	*word = str_head(*rest, n);
	*rest = str_from(*rest, n);
	return n > 0;
}

/* A name or an address in brackets, and not an address with a slip of the pen. */
static bool good_name(struct str name)
{
	struct peeraddress a;

	if (*name.p == '[')
		return peeraddress_parse(name, &a);
	for (size_t i = 0; i < name.n; i++)
		if (chr_lower(name.p[i]) >= 'a' && chr_lower(name.p[i]) <= 'z' && str_chr(name, ':') == name.n)
			return name.n <= HELO_MAX && !str_has_control(name);
	return false;
}

/* The words of a line; what it does not name stays. */
static bool take_line(struct outidentity *who, struct str *name, struct str line)
{
	bool has[2] = { false, false };
	struct peeraddress a;
	struct str word;

	*name = STR("");
	while (next_word(&line, &word)) {
		if (*word.p != '[' && peeraddress_parse(word, &a)) {
			if (has[a.v6])
				return false;
			has[a.v6] = who->has_address[a.v6] = true;
			who->address[a.v6] = a;
		} else if (name->n || !good_name(word)) {
			return false;
		} else {
			*name = word;
		}
	}
	return true;
}

/* Finds the name that belongs to the address of each family. */
static void name_addresses(const struct outidentities *all, struct outidentity *who)
{
	for (int v6 = 0; v6 < 2; v6++) {
		who->helo[v6] = buf_str(&all->helo);
		for (size_t i = 0; who->has_address[v6] && i < all->addresses.n; i++) {
			struct outidentity line = { 0 };
			struct str name;

			take_line(&line, &name, all->addresses.items[i]);
			if (name.n && line.has_address[v6] && peeraddress_eq(&line.address[v6], &who->address[v6]))
				who->helo[v6] = name;
		}
	}
}

static bool load_preset(struct outidentities *all, struct err *e)
{
	for (size_t i = 0; i < all->addresses.n; i++) {
		struct outidentity line = { 0 };
		struct str name;
		bool v6;

		if (!take_line(&line, &name, all->addresses.items[i]) || line.has_address[0] == line.has_address[1])
			return err_perm(e, "control/outgoingip: entry %zu is no IP address, or one and a name", i + 1);
		v6 = line.has_address[1];
		if (!all->preset.has_address[v6])
			all->preset.address[v6] = line.address[v6];
		all->preset.has_address[v6] = true;
	}
	name_addresses(all, &all->preset);
	return true;
}

static bool load_domains(struct outidentities *all, struct err *e)
{
	const struct control_list *lines = &all->domains.lines;

	all->list = mem_zero(lines->n, sizeof *all->list);
	for (size_t i = 0; i < lines->n; i++) {
		struct outidentity *who = &all->list[i];
		struct str domain, value, name;

		str_cut(lines->items[i], ':', &domain, &value);
		*who = all->preset;
		if (!take_line(who, &name, value))
			return err_perm(
			    e, "control/outgoingips: entry %zu is not domain:address, or with a name behind", i + 1);
		name_addresses(all, who);
		if (name.n)
			who->helo[0] = who->helo[1] = name;
	}
	return true;
}

bool outidentities_load(struct outidentities *all, struct err *e)
{
	*all = (struct outidentities){ .helo = BUF_INIT(1000) };
	if (!control_line_or_me("helohost", "", &all->helo, e) ||
	    !control_list_load("outgoingip", &all->addresses, e) || !control_map_load("outgoingips", &all->domains, e))
		return false;
	if (all->helo.n == 0)
		return err_perm(e, "no name for HELO: put this host's name into control/me");
	if (str_has_control(buf_str(&all->helo)))
		return err_perm(e, "control/helohost has control characters");
	return load_preset(all, e) && load_domains(all, e);
}

void outidentities_free(struct outidentities *all)
{
	buf_free(&all->helo);
	control_list_free(&all->addresses);
	control_map_free(&all->domains);
	free(all->list);
	all->list = NULL;
}

const struct outidentity *outidentities_find(const struct outidentities *all, struct str sender)
{
	struct str domain = str_from(sender, str_rchr(sender, '@') + 1), value;

	if (all->domains.lines.n == 0 || !(control_map_find_domain(&all->domains, domain, &value) ||
					   control_map_find(&all->domains, STR(""), &value)))
		return &all->preset;
	return &all->list[control_map_line(&all->domains, value)];
}

bool outidentity_bind(const struct outidentity *who, int fd, bool v6)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int on = 1;

	if (!who->has_address[v6])
		return true;
	len = peeraddress_sockaddr(&who->address[v6], 0, &sa);
	/* Else ports would run out at a fraction of the connections that one address can have. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	return bind(fd, (struct sockaddr *)&sa, len) == 0;
}

bool outidentity_usable(const struct outidentity *who, bool v6)
{
	int fd, error = 0;

	if (!who->has_address[v6])
		return true;
	fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* That we cannot know is not the address's fault. */
	if (fd == -1)
		return true;
	if (!outidentity_bind(who, fd, v6))
		error = errno;
	close(fd);
	errno = error;
	return error == 0;
}

void outidentity_report(const struct outidentity *who, bool v6, int error, struct buf *text)
{
	char address[PEERADDRESS_TEXT_MAX];

	peeraddress_text(&who->address[v6], address);
	buf_addf(text, "I cannot send from the address %s that control/outgoingip or outgoingips names: %s. (#4.3.5)\n",
		 address, errno_text(error));
}
