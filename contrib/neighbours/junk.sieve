# SPDX-License-Identifier: BSD-2-Clause
# Marked mail goes into the folder Junk, whoever the user is. dovecot-sieve.conf says what
# "spamtest" reads. A user's own script still runs for everything else.
require ["fileinto", "mailbox", "relational", "comparator-i;ascii-numeric", "spamtest"];

if spamtest :value "ge" :comparator "i;ascii-numeric" "10" {
	fileinto :create "Junk";
	stop;
}
