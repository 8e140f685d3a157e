/*
 * address_list: the addresses of a field such as To (RFC 822 §6.1).
 *
 * Parses from right to left, as qmail does: an address ends where the next
 * mark begins, so that missing commas and unquoted names are understood the
 * way people mean them.
 */
#ifndef MAIL_ADDRESS_LIST_H
#define MAIL_ADDRESS_LIST_H

#include "mail/address_token.h"

/*
 * Called for every address, rightmost first. The tokens are in reading order,
 * without comments and angle brackets, empty for "<>"; it may change them.
 * What it adds must point to text that outlives the list.
 */
typedef void address_visitor(void *ctx, struct token_list *address);

/*
 * Parses the tokens of a field body and puts the same list, with addresses as
 * the visitor left them and missing commas filled in, into *out (replaced).
 * False when it is malformed: an unmatched '<' or '>', or a ':' or ';' that is not
 * part of a group. The visitor may have seen addresses by then.
 */
bool address_list_parse(const struct token_list *in, struct token_list *out, address_visitor *visit, void *ctx);

#endif
