#include "conf/foreigncontrols.h"

#include <stddef.h>

#include "base/str.h"

#define RCPTCHECK "control/rcptcheck refuses recipients that do not exist"
#define BEFORE "a program before qmail-smtpd, or one named by $QMAILQUEUE, can do it"
#define FILTER "a program named by $QMAILQUEUE can do it"

/* clang-format off */
static const struct foreigncontrol table[] = {
	{ "authsenders", "an SMTP authentication patch of qmail-remote", "control/smtproutes takes users and passwords", false },
	{ "badbodypatterns", "the qregex patch", FILTER, false },
	{ "badextcontent", "an attachment patch", FILTER, false },
	{ "badhelo", "the badhelo or qregex patch", BEFORE, false },
	{ "badhelonorelay", "the qregex patch", BEFORE, false },
	{ "badip", "a badip patch", "rules of tcpserver refuse addresses", false },
	{ "badloadertypes", "the badloadertype patch", FILTER, false },
	{ "badmailfromnorelay", "the qregex patch", BEFORE, false },
	{ "badmailfrompatterns", "the badmailfrom patterns patch", BEFORE, false },
	{ "badmailto", "the qregex patch", RCPTCHECK, false },
	{ "badmailtonorelay", "the qregex patch", RCPTCHECK, false },
	{ "badmimetypes", "the badmimetype patch", FILTER, false },
	{ "badrcptpatterns", "the badrcptto patterns patch", RCPTCHECK, false },
	{ "badrcptto", "the badrcptto patch", RCPTCHECK, false },
	{ "bindroutes", "the bindroutes patch", "control/outgoingips has the address for a sender's domain", false },
	{ "blacklistedsenders", "qmail-ldap", BEFORE, false },
	{ "blockrelayprobe", "the blockrelayprobe patch", "", false },
	{ "bounceadmin", "a bounce copies patch", "", false },
	{ "bouncemaxsize", "a bounce limit patch", "control/bouncemaxbytes", false },
	{ "bouncesubject", "a bounce text patch", "", false },
	{ "bouncetext", "a bounce text patch", "", false },
	{ "brtlimit", "the brtlimit patch", "control/maxsmtperrors ends sessions with many refused commands", false },
	{ "chkuser*", "the chkuser patch", RCPTCHECK, false },
	{ "clientca.pem", "the TLS patch", "client certificates do not allow relaying here", false },
	{ "clientcrl.pem", "the TLS patch", "client certificates do not allow relaying here", false },
	{ "custombouncetext", "a bounce text patch", "", false },
	{ "defaultdelivery.*", "a start script", "", true },
	{ "dh1024.pem", "the TLS patch", "parameters come with the TLS library", false },
	{ "dh2048.pem", "the TLS patch", "parameters come with the TLS library", false },
	{ "dh4096.pem", "the TLS patch", "parameters come with the TLS library", false },
	{ "dh512.pem", "the TLS patch", "parameters come with the TLS library", false },
	{ "dkim*", "a DKIM patch or filter", "", true },
	{ "dnsbllist", "the dnsbl patch", "rblsmtpd before qmail-smtpd", false },
	{ "domainbindings", "the domainbindings patch", "control/outgoingips has the address for a sender's domain", false },
	{ "domainkeys*", "qmail-dk", FILTER, true },
	{ "doublebouncesubject", "a bounce text patch", "", false },
	{ "filterargs", "qmail-ldap or indimail", FILTER, false },
	{ "goodmailaddr", "the goodmailaddr patch", "", false },
	{ "goodrcptto", "the goodrcptto patch", RCPTCHECK, false },
	{ "greylist*", "a greylisting patch", BEFORE, false },
	{ "holdinternal", "a holdremote patch", "control/concurrencylocal with 0, or quill queue hold", false },
	{ "holdlocal", "a holdremote patch", "control/concurrencylocal with 0, or quill queue hold", false },
	{ "holdremote", "a holdremote patch", "control/concurrencyremote with 0, or quill queue hold", false },
	{ "ldap*", "qmail-ldap", "users come from users/cdb, the system, or quill user", false },
	{ "localdomains", "a patch of qmail-smtpd", "", false },
	{ "maxcmdlen", "a patch of qmail-smtpd", "", false },
	{ "maxrcpt", "the maxrcpt patch", "control/maxrecipients", false },
	{ "mfcheck", "the mfcheck patch", BEFORE, false },
	{ "nodnscheck", "the mfcheck patch", "", false },
	{ "notipme", "the notipme patch", "control/smtproutes names where such domains go", false },
	{ "plaintextauth", "an SMTP authentication patch", "", false },
	{ "plusdomains", "a patch", "", false },
	{ "qmqpcip", "a qmail-qmqpc patch", "", false },
	{ "queuelifetimebounce", "a queue lifetime patch", "control/destinations has lifetimes", false },
	{ "quotawarning", "qmail-ldap or vpopmail", "", true },
	{ "rbllist", "qmail-ldap", "rblsmtpd before qmail-smtpd", false },
	{ "realbadrcptto", "magic-smtpd", RCPTCHECK, false },
	{ "recipients*", "the recipients patch", RCPTCHECK, false },
	{ "relaymailfrom", "the relaymailfrom patch", "anybody can claim an address; rules of tcpserver say who may relay", false },
	{ "rsa512.pem", "the TLS patch", "keys of that kind are not used any more", false },
	{ "sigs*", "a signature patch", FILTER, false },
	{ "simcontrol*", "simscan", "", true },
	{ "simsizelimit", "simscan", "", true },
	{ "simversions*", "simscan", "", true },
	{ "smtpauth*", "an SMTP authentication patch", "", false },
	{ "smtpcapabilities", "a patch of qmail-smtpd", "", false },
	{ "smtpplugins", "the qmail-spp patch", BEFORE, false },
	{ "spamfilterargs", "indimail", FILTER, false },
	{ "spfbehavior", "the SPF patch", BEFORE, false },
	{ "spfexp", "the SPF patch", BEFORE, false },
	{ "spfguess", "the SPF patch", BEFORE, false },
	{ "spfrules", "the SPF patch", BEFORE, false },
	{ "surbl*", "the SURBL patch or filter", FILTER, true },
	{ "taps", "the tap patch", "a copy of mail needs a filter named by $QMAILQUEUE, or a .qmail file", false },
	{ "tarpitcount", "the tarpit patch", "control/maxsmtperrors ends sessions with many refused commands", false },
	{ "tarpitdelay", "the tarpit patch", "control/maxsmtperrors ends sessions with many refused commands", false },
	{ "timeoutread", "a patch of qmail-smtpd", "control/timeoutsmtpd", false },
	{ "tlsclients", "the TLS patch", "client certificates do not allow relaying here", false },
	{ "tlsdestinations", "s/qmail", "control/tlshosts and control/smtproutes", false },
	{ "tlsserverciphers", "the TLS patch", "", false },
	{ "tlsservermethod", "indimail", "", false },
	{ "validrcptto*", "the validrcptto patch", RCPTCHECK, false },
	{ "virtualdomains.*", "a patch", "", false },
	{ "vpopmail*", "vpopmail", "", true },
};
/* clang-format on */

const struct foreigncontrol *foreigncontrols_find(const char *name)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (str_like(str_of(name), str_of(table[i].name)))
			return &table[i];
	return NULL;
}
