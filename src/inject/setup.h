/*
 * setup: what control/ and the environment say about new messages.
 */
#ifndef INJECT_SETUP_H
#define INJECT_SETUP_H

#include "inject/compose.h"

struct setup {
	struct rewrite_rules rules;
	struct identity who;
	struct buf idhost;
	struct control_map followup;
	struct compose_options letters; /* $QMAILINJECT */
	struct compose_facts facts;     /* looks into the rest: setup must not be moved */
};

/* Opens the home. $QMAILMFTFILE is relative to the working directory. Free with setup_free also after an error. */
bool setup_read(struct setup *s, struct err *e);
void setup_free(struct setup *s);

/*
 * Only the rules by which addresses are completed: control/ files, and the
 * environment in their place where it says so and use_environment. The home is
 * open. Free with rewrite_free also after an error; *rules is empty before.
 */
bool setup_read_rules(struct rewrite_rules *rules, bool use_environment, struct err *e);

#endif
