/*
 * qmail-pw2u [ -/ohHuUC ] [ -c CHAR ]: a password file on standard input as
 * users/assign on standard output (contract §3.5). Exit 0, 100 or 111.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/exitcode.h"
#include "filter/tool.h"
#include "sys/home.h"
#include "sys/io.h"
#include "sys/options.h"
#include "users/pw2u.h"

#define ME "qmail-pw2u"
#define INPUT_MAX (1u << 30)

static void read_options(int argc, char **argv, struct pw2u_rules *rules)
{
	int c;

	while ((c = options_next(argc, argv, "/ohHuUCc:")) != -1) {
		switch (c) {
		case '/':
			rules->slash = true;
			break;
		case 'o':
			rules->homes = PW2U_OWNED;
			break;
		case 'h':
			rules->homes = PW2U_PRESENT;
			break;
		case 'H':
			rules->homes = PW2U_ANY;
			break;
		case 'u':
		case 'U':
			rules->uppercase = c == 'u';
			break;
		case 'C':
			rules->no_extension = true;
			break;
		case 'c':
			rules->break_char = *optarg;
			rules->no_extension = *optarg == 0;
			break;
		default:
			tool_usage(ME, "[ -/ohHuUC ] [ -c char ]");
		}
	}
}

static void read_file(const char *path, struct buf *text, struct pw2u_file *file)
{
	int fd = openat(home_dir(), path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*text = BUF_INIT(INPUT_MAX);
	if (fd == -1 && errno == ENOENT)
		return;
	if (fd == -1 || !io_read_rest(fd, text))
		tool_die(ME, EXIT_TEMPORARY, "unable to read controls");
	close(fd);
	*file = (struct pw2u_file){ true, buf_str(text) };
}

int main(int argc, char **argv)
{
	struct pw2u_rules rules = { .break_char = '-', .stat = stat };
	struct buf texts[5], passwd = BUF_INIT(INPUT_MAX), out = BUF_INIT(SIZE_MAX);
	struct err e;

	read_options(argc, argv, &rules);
	if (!home_open(&e))
		tool_die(ME, EXIT_TEMPORARY, "unable to chdir: %s", e.text);
	read_file("users/include", &texts[0], &rules.include);
	read_file("users/exclude", &texts[1], &rules.exclude);
	read_file("users/mailnames", &texts[2], &rules.mailnames);
	read_file("users/subusers", &texts[3], &rules.subusers);
	read_file("users/append", &texts[4], &rules.append);
	if (!io_read_rest(0, &passwd))
		tool_die(ME, EXIT_TEMPORARY, "unable to read input: %s", errno_text(errno));
	if (!pw2u_convert(buf_str(&passwd), &rules, &out, &e))
		tool_fail(ME, &e);
	if (io_write_all(1, out.p, out.n) == -1)
		tool_die(ME, EXIT_TEMPORARY, "unable to write output: %s", errno_text(errno));
	for (size_t i = 0; i < 5; i++)
		buf_free(&texts[i]);
	buf_free(&passwd);
	buf_free(&out);
	return 0;
}
