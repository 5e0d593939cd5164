dnl For sendmail.mc, before the MAILER lines; then make sendmail.cf anew and restart Sendmail.
dnl
dnl F=T: while spambridge is down mail is deferred, not delivered unscanned (leave F out for that).
dnl S, R, E: seconds for sending to it, for each sign of life, for the end of the message in all.
dnl E must be above the `deadline' of spambridge.conf; R may be shorter, it is told every few
dnl seconds that the scan goes on.
INPUT_MAIL_FILTER(`spambridge', `S=unix:/run/spambridge/milter.sock, F=T, T=S:30s;R:30s;E:5m')dnl
