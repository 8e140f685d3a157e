#include "local/localanswer.h"

enum recipient_answer local_answer(const struct local_job *job)
{
	struct local_job described = *job;
	struct local_report report = LOCAL_REPORT_INIT;
	int code;

	described.sender = "";
	described.describe = true;
	described.message_fd = -1;
	code = local_deliver(&described, &report);
	buf_free(&report.out);
	buf_free(&report.err);
	switch (code) {
	case LOCAL_OK:
		return report.programs ? RECIPIENT_MAY_EXIST : RECIPIENT_EXISTS;
	case LOCAL_PERMANENT:
		return RECIPIENT_ABSENT;
	default:
		return RECIPIENT_UNKNOWN;
	}
}
