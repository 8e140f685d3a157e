# mk/layout.sh: what is installed where, for whom; read by install.sh and
# instcheck.sh. Paths are below the home.

# MODE USER GROUP PATH, a line for each directory.
layout_directories() {
	# man/cat? are for formatted pages, of whoever makes some; scripts of old expect them.
	for d in . bin boot control doc log man man/man1 man/man5 man/man7 man/man8 man/cat1 man/cat5 man/cat7 man/cat8 \
		run users; do
		echo "0755 root qmail $d"
	done
	echo "02755 alias qmail alias"
	echo "0700 qmailq qmail queue"
}

# Is this the mode of a program in bin/, by its name? None is set-id.
layout_has_mode() {
	case $1 in
	qmail-lspawn|qmail-start|qmail-newu|qmail-newmrh|checkpassword|checkpassword-pam) [ "$2" = 0700 ] ;;
	qmail-inject|qmail-pop3d|qmail-qread|qmail-qstat|qmail-showctl|qmail-smtpd|qmail-tcpto|qmail-tcpok) [ "$2" = 0755 ] ;;
	qmail-qmqpc|qmail-qmqpd|qmail-qmtpd) [ "$2" = 0755 ] ;;
	qmail-*|splogger) [ "$2" = 0711 ] ;;
	*) [ "$2" = 0755 ] ;;	# helpers for everybody's .qmail lines and scripts
	esac
}

# Is it to be found in everybody's PATH? Not what is run by full path or by
# other programs, and not what an administrator decides to put there.
layout_linked() {
	case $1 in
	config|config-fast|mailq|newaliases|sendmail) return 1 ;;
	ddist|successes|failures|deferrals|recipients|rhosts|rxdelay|senders|suids) return 1 ;;	# reports find them
	checkpassword|checkpassword-pam|qmail-popup) return 0 ;;	# for start scripts
	esac
	layout_has_mode "$1" 0755
}
