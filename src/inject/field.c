#include "inject/field.h"

#define NAME(s) .name = { s, sizeof(s) - 1 }

static const struct field_traits table[FIELD_COUNT] = {
	[FIELD_OTHER] = { NAME("") },
	[FIELD_TO] = { NAME("To"), .use = FIELD_GIVES_RECIPIENTS, .to_cc = true },
	[FIELD_CC] = { NAME("Cc"), .use = FIELD_GIVES_RECIPIENTS, .to_cc = true },
	[FIELD_BCC] = { NAME("Bcc"), .use = FIELD_GIVES_RECIPIENTS, .deleted = true },
	[FIELD_APPARENTLY_TO] = { NAME("Apparently-To"), .use = FIELD_GIVES_RECIPIENTS },
	[FIELD_RETURN_PATH] = { NAME("Return-Path"), .use = FIELD_ORIGIN, .deleted = true },
	[FIELD_SENDER] = { NAME("Sender"), .use = FIELD_SHOWN },
	[FIELD_FROM] = { NAME("From"), .use = FIELD_SHOWN },
	[FIELD_REPLY_TO] = { NAME("Reply-To"), .use = FIELD_SHOWN },
	[FIELD_RETURN_RECEIPT_TO] = { NAME("Return-Receipt-To"), .use = FIELD_SHOWN },
	[FIELD_ERRORS_TO] = { NAME("Errors-To"), .use = FIELD_SHOWN },
	[FIELD_DATE] = { NAME("Date") },
	[FIELD_MESSAGE_ID] = { NAME("Message-ID") },
	[FIELD_MAIL_FOLLOWUP_TO] = { NAME("Mail-Followup-To") },
	[FIELD_CONTENT_LENGTH] = { NAME("Content-Length"), .deleted = true },
	[FIELD_RESENT_TO] = { NAME("Resent-To"), .use = FIELD_GIVES_RESENT_RECIPIENTS, .resent = true },
	[FIELD_RESENT_CC] = { NAME("Resent-Cc"), .use = FIELD_GIVES_RESENT_RECIPIENTS, .resent = true },
	[FIELD_RESENT_BCC] = { NAME("Resent-Bcc"), .use = FIELD_GIVES_RESENT_RECIPIENTS, .deleted = true,
			       .resent = true },
	[FIELD_RESENT_SENDER] = { NAME("Resent-Sender"), .use = FIELD_SHOWN, .resent = true },
	[FIELD_RESENT_FROM] = { NAME("Resent-From"), .use = FIELD_SHOWN, .resent = true },
	[FIELD_RESENT_REPLY_TO] = { NAME("Resent-Reply-To"), .use = FIELD_SHOWN, .resent = true },
	[FIELD_RESENT_DATE] = { NAME("Resent-Date"), .resent = true },
	[FIELD_RESENT_MESSAGE_ID] = { NAME("Resent-Message-ID"), .resent = true },
};

enum field field_find(struct str name)
{
	for (int f = FIELD_OTHER + 1; f < FIELD_COUNT; f++)
		if (str_ieq(name, table[f].name))
			return (enum field)f;
	return FIELD_OTHER;
}

const struct field_traits *field_traits(enum field f)
{
	return &table[f];
}
