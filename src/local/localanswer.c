#include "local/localanswer.h"

struct recipient_finding local_answer(const struct local_job *job)
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
		return (struct recipient_finding){ report.programs ? RECIPIENT_MAY_EXIST : RECIPIENT_EXISTS,
						   report.room };
	case LOCAL_PERMANENT:
		return (struct recipient_finding){ RECIPIENT_ABSENT, RECIPIENT_ROOM_ANY };
	default:
		return (struct recipient_finding){ RECIPIENT_UNKNOWN, RECIPIENT_ROOM_ANY };
	}
}
