/*
 * checkpassword-pam [-s SERVICE] PROGRAM [ARGUMENT ...]: the accounts of the
 * system, by PAM: its service is "checkpassword" (contract-companions §3).
 */
#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checker/checker.h"

/* PAM answers only with memory of the C library. */
static bool answer(const struct pam_message *question, struct pam_response *reply, const char *password)
{
	reply->resp_retcode = 0;
	reply->resp = NULL;
	if (question->msg_style == PAM_PROMPT_ECHO_OFF)
		reply->resp = strdup(password);
	else if (question->msg_style == PAM_PROMPT_ECHO_ON)
		return false;
	return reply->resp != NULL || question->msg_style != PAM_PROMPT_ECHO_OFF;
}

static int converse(int n, const struct pam_message **questions, struct pam_response **replies, void *password)
{
	struct pam_response *r;

	if (n <= 0 || n > PAM_MAX_NUM_MSG || (r = calloc((size_t)n, sizeof *r)) == NULL)
		return PAM_CONV_ERR;
	for (int i = 0; i < n; i++) {
		if (answer(questions[i], &r[i], password))
			continue;
		for (int j = 0; j < i; j++)
			free(r[j].resp);
		free(r);
		return PAM_CONV_ERR;
	}
	*replies = r;
	return PAM_SUCCESS;
}

static enum checker_verdict meaning(int result)
{
	switch (result) {
	case PAM_SUCCESS:
		return CHECKER_RIGHT;
	case PAM_AUTH_ERR:
	case PAM_USER_UNKNOWN:
	case PAM_MAXTRIES:
	case PAM_ACCT_EXPIRED:
	case PAM_PERM_DENIED:
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_CRED_INSUFFICIENT:
		return CHECKER_WRONG;
	default:
		return CHECKER_TEMPORARY;
	}
}

/* The service's name; set once, from the command line. */
static const char *service = "checkpassword";

static int ask(pam_handle_t *pam, const char **user)
{
	const char *client = getenv("TCPREMOTEIP");
	const void *name = NULL;
	int r;

	if (client)
		pam_set_item(pam, PAM_RHOST, client);
	r = pam_authenticate(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	if (r == PAM_SUCCESS)
		r = pam_acct_mgmt(pam, PAM_SILENT);
	if (r == PAM_SUCCESS)
		r = pam_get_item(pam, PAM_USER, &name);
	*user = name;
	return r == PAM_SUCCESS && name == NULL ? PAM_USER_UNKNOWN : r;
}

static enum checker_verdict verify(const struct checkinput *c, struct checker_account *a)
{
	const struct pam_conv conversation = { converse, (void *)(uintptr_t)c->password.p };
	enum checker_verdict verdict;
	pam_handle_t *pam = NULL;
	const char *user;
	int r = pam_start(service, c->login.p, &conversation, &pam);

	if (r != PAM_SUCCESS)
		return CHECKER_TEMPORARY;
	r = ask(pam, &user);
	verdict = meaning(r);
	/* A module may have made another name of it. */
	if (verdict == CHECKER_RIGHT)
		verdict = checker_system_account(user, a, NULL);
	pam_end(pam, r);
	return verdict;
}

int main(int argc, char **argv)
{
	char *const *program = argv + (argc > 0);

	if (argc > 2 && strcmp(argv[1], "-s") == 0) {
		service = argv[2];
		program += 2;
	}
	checker_run(program, verify);
}
