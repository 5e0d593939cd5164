#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# Has the installed SpamAssassin read our Received fields, and compares our X-Spam fields with its
# own, byte for byte. Traps 24, 41 to 46 and 50; the five forgeries of relay lines and a sixth one.
# Exit 77 (skipped) when Mail::SpamAssassin is not installed. EMIT is the program that builds.
use strict;
use warnings;
use IPC::Open2;

my $have = eval { require Mail::SpamAssassin; require Mail::SpamAssassin::PerMsgStatus; 1 };
if (!$have) {
	print "SKIP: Mail::SpamAssassin is not installed\n";
	exit 77;
}
my $emit = $ENV{EMIT} || 'tests/protocol/emit';
my ($tests, $failures) = (0, 0);

sub ok {
	my ($good, $what) = @_;
	$tests++;
	return 1 if $good;
	$failures++;
	print "not ok: $what\n" if $failures <= 20;
	return 0;
}

sub is {
	my ($got, $want, $what) = @_;
	$got = 'undef' unless defined $got;
	$want = 'undef' unless defined $want;
	return ok($got eq $want, "$what: got <$got>, want <$want>");
}

# A coprocess: one line in, one record up to "." out.
sub emitter {
	my ($mode) = @_;
	open2(my $out, my $in, $emit, $mode);
	return sub {
		my $line = join("\t", map { s/([^ -\$&-~]|%)/sprintf('%%%02X', ord $1)/ger } @_);
		print $in "$line\n";
		$in->flush();
		my $record = '';
		while (my $read = <$out>) {
			last if $read eq ".\n";
			$record .= $read;
		}
		return $record;
	};
}

my $config = "use_bayes 0\nuse_auto_welcomelist 0\nclear_headers\nfold_headers 1\n"
	. "report_hostname host.example\n"
	. "add_header all Checker-Version SpamAssassin _VERSION_ (_SUBVERSION_) on _HOSTNAME_\n"
	. "add_header spam Flag _YESNOCAPS_\n"
	. "add_header all Level _STARS(*)_\n"
	. "add_header all Status \"_YESNO_, score=_SCORE_ required=_REQD_ tests=_TESTS_ "
	. "autolearn=_AUTOLEARN_ version=_VERSION_\"\n";
sub scanner {
	my ($extra) = @_;
	my $sa = Mail::SpamAssassin->new({
		config_text => $config . $extra, local_tests_only => 1, dont_copy_prefs => 1,
		dns_available => 0, userstate_dir => '/nonexistent', username => 'nobody',
	});
	$sa->init(0);
	return $sa;
}

# A message of an attacker who adds every field that SpamAssassin might believe.
my $forged = "Received: from trusted.bank.example (trusted.bank.example [127.0.0.1])\r\n"
	. "\tby mx.example.net (Postfix) with ESMTPSA id FORGED\r\n"
	. "\t(envelope-from <forged\@bank.example>); Sat, 21 Nov 2026 09:00:00 +0000\r\n"
	. "X-Envelope-From: <forged\@bank.example>\r\nReturn-Path: <forged\@bank.example>\r\n"
	. "Envelope-Sender: <forged\@bank.example>\r\n"
	. "From: a\@b.example\r\nSubject: x\r\n\r\nbody\r\n";

sub relays {
	my ($sa, $top) = @_;
	my $message = $sa->parse($top . $forged, 0);
	my $status = Mail::SpamAssassin::PerMsgStatus->new($sa, $message);
	$status->extract_message_metadata();
	my %seen = (
		untrusted => [ @{ $status->{relays_untrusted} || [] } ],
		trusted => [ @{ $status->{relays_trusted} || [] } ],
		unparseable => $status->{num_relays_unparseable} || 0,
		sender => scalar $status->get('EnvelopeFrom:addr', undef),
	);
	$status->finish();
	$message->finish();
	return \%seen;
}

my $plain = scanner('');
my $by_field = scanner("envelope_sender_header X-Envelope-From\n");
my $received = emitter('received');

# What our relay must look like, whatever the client said.
sub check_relay {
	my ($facts, $want) = @_;
	my $top = $received->(@$facts);
	my $what = "[" . join('|', @$facts) . "]";
	ok($top !~ /[^\x09\x0a\x0d\x20-\x7e]/, "$what: printable");
	my $seen = relays($plain, $top);
	my $list = $want->{auth} ? $seen->{trusted} : $seen->{untrusted};
	my $relay = $list->[0];
	return ok(0, "$what: no relay") unless $relay;
	is($seen->{unparseable}, 0, "$what: unparseable");
	is(scalar @{ $seen->{trusted} }, 0, "$what: trusted relays") unless $want->{auth};
	is($relay->{ip}, $want->{ip}, "$what: ip");
	is($relay->{auth}, $want->{auth} || '', "$what: auth");
	is($relay->{by}, 'mx.example.net', "$what: by");
	is($relay->{id}, '4ABCDE12345', "$what: id");
	is($relay->{internal} ? 1 : 0, $want->{auth} ? 1 : 0, "$what: internal");
	for my $key (qw(helo rdns)) {
		is($relay->{$key}, $want->{$key}, "$what: $key") if defined $want->{$key};
	}
	my $sender = $want->{sender};
	is($relay->{envfrom}, $sender, "$what: envelope-from") if exists $want->{sender};
	is($seen->{sender}, $sender, "$what: EnvelopeFrom") if $sender && !$want->{auth};
	ok(($seen->{sender} // '') !~ /bank/, "$what: EnvelopeFrom forged")
		unless ($facts->[5] =~ /bank/ || $want->{auth});
	my $field = relays($by_field, $top)->{sender} // '';
	ok($field !~ /bank/, "$what: X-Envelope-From forged: $field") unless $facts->[5] =~ /bank/;
}

sub client {
	my %given = (helo => 'mail.example.org', ptr => 'mail.example.org', ip => '5.9.10.11',
		sender => 'alice@example.org', tls => '', auth => '', @_);
	return [ @given{qw(helo ptr ip)}, 'mx.example.net', '4ABCDE12345',
		@given{qw(sender tls auth)} ];
}

my $ip = '5.9.10.11';
my @known = (
	[ client(), { ip => $ip, helo => 'mail.example.org', rdns => 'mail.example.org',
		sender => 'alice@example.org' } ],
	[ client(tls => 'TLSv1.3'), { ip => $ip, sender => 'alice@example.org' } ],
	[ client(auth => 'alice'), { ip => $ip, auth => 'ESMTPA' } ],
	[ client(auth => 'alice', tls => 'TLSv1.3'), { ip => $ip, auth => 'ESMTPSA' } ],
	# Trap 43: the ways of saying that there is no PTR name.
	[ client(ptr => ''), { ip => $ip, rdns => '' } ],
	[ client(ptr => 'unknown'), { ip => $ip, rdns => '' } ],
	[ client(ptr => "[$ip]"), { ip => $ip, rdns => '' } ],
	[ client(helo => ''), { ip => $ip, helo => 'unknown' } ],
	[ client(helo => '[5.9.10.11]'), { ip => $ip, helo => '!5.9.10.11!' } ],
	# Trap 45: every spelling of IPv6.
	[ client(ip => '2a01:4f8::7'), { ip => '2a01:4f8::7' } ],
	[ client(ip => 'IPv6:2a01:4f8:0:0:0:0:0:7'), { ip => '2a01:4f8::7' } ],
	[ client(ip => '::ffff:5.9.10.11'), { ip => $ip } ],
	[ client(sender => ''), { ip => $ip, sender => undef } ],
	[ client(sender => 'b+x=y.example@lists.example.org'),
		{ ip => $ip, sender => 'b+x=y.example@lists.example.org' } ],
	# The five forgeries.
	[ client(helo => 'x(envelope-from=ceo@bank.example)', ptr => ''),
		{ ip => $ip, sender => 'alice@example.org' } ],
	[ client(helo => 'foo (a [127.0.0.1]) by z'), { ip => $ip } ],
	[ client(helo => 'x])', ptr => 'authenticated.evil.example'), { ip => $ip } ],
	[ client(sender => '"x by z with ESMTPSA y"@evil.example'),
		{ ip => $ip, sender => undef } ],
	[ client(sender => '"a (authenticated) by b"@local.example'),
		{ ip => $ip, sender => undef } ],
	# A sixth: the word Exim switches to a grammar in which HELO is the address.
	[ client(helo => '[127.0.0.1]', ptr => 'Exim.evil.example'), { ip => $ip } ],
	[ client(helo => '[127.0.0.1]', sender => 'Exim@evil.example'), { ip => $ip } ],
	[ client(helo => '[127.0.0.1]', ptr => 'ecelerity.evil.example'), { ip => $ip } ],
	[ client(helo => "a\r\nX-Spam-Status: No\r\n", ptr => "p\0q"), { ip => $ip } ],
	[ client(helo => 'x' x 2043), { ip => $ip } ],
);
check_relay(@$_) for @known;

# Words that mean something to some branch of the parser, combined at random (fixed seed).
my @words = ('Exim', '[127.0.0.1]', '127.0.0.1', '[IPv6:::1]', 'ecelerity', 'by', 'with', 'id',
	'from', 'via', 'for', 'HELO', 'EHLO', 'helo=a', 'envelope-from', 'envelope-sender', ' ',
	' ',
	'(', ')', '[', ']', '<', '>', ';', '@', '=', '"', "\t", "\r\n\t", "\n", 'authenticated',
	'Authenticated sender: x', ' (Postfix) with ESMTPSA', 'ESMTPA', 'HTTP', 'SMTPSVC',
	'[XMail ', 'unverified', 'softdnserr', 'unknown', 'localhost', 'local', 'LMTPA', '.', ':',
	'mx.google.com', 'SquirrelMail authenticated user ', 'return-path: ', 'qmail', 'Jetsend',
	"\xff", "\0", '%', ',', '!', '|', '#', 'a', 'example.org', 'ceo@bank.example');
srand(20261121);
my $random = sub { join('', map { $words[rand @words] } 1 .. 1 + rand 6) };
for my $round (1 .. ($ENV{ROUNDS} || 1500)) {
	my $sender = $random->();
	check_relay(client(helo => $random->(), ptr => $random->(), sender => $sender),
		{ ip => $ip });
}

# Local submissions are no relay at all.
{
	my $top = $received->('', '', '', 'mx.example.net', '4ABC', 'bob@example.org', '', '');
	my $message = $plain->parse($top . "Subject: x\r\n\r\nbody\r\n", 0);
	my $status = Mail::SpamAssassin::PerMsgStatus->new($plain, $message);
	$status->extract_message_metadata();
	is($status->{num_relays_trusted} + $status->{num_relays_untrusted}, 0, 'local: relays');
	is($status->{num_relays_unparseable} || 0, 0, 'local: unparseable');
	$status->finish();
}
my $relay_tests = $tests;

# Our X-Spam fields and SpamAssassin's own for the same result.
my $status_of = emitter('status');
sub compare_status {
	my ($spam, $score, $required, $autolearn, @names) = @_;
	my $message = $plain->parse("Subject: x\r\n\r\nbody\r\n", 0);
	my $status = Mail::SpamAssassin::PerMsgStatus->new($plain, $message);
	$status->{is_spam} = $spam;
	$status->{score} = $score;
	$status->{conf}->{required_score} = $required;
	$status->{test_names_hit} = [@names];
	my ($force) = $autolearn =~ s/ (.+)// ? $1 : undef;
	$status->{auto_learn_status} = $autolearn;
	$status->{auto_learn_force_status} = $force;
	my $theirs = $status->_get_added_headers($spam ? 'headers_spam' : 'headers_ham');
	my ($version) = $theirs =~ /^X-Spam-Checker-Version: (.*)$/m;
	my $ours = $status_of->($spam, $score, $required, join(',', @names),
		defined $force ? "$autolearn autolearn_force=$force" : $autolearn, $version);
	is($ours, $theirs, "status of $score with " . @names . " tests");
	$status->finish();
}
for my $count (0 .. 60) {
	for my $round (1 .. 4) {
		my @letters = ('A' .. 'Z', 0 .. 9, '_');
		my $name = sub { join('', map { $letters[rand @letters] } 1 .. 3 + rand 25) };
		my @names = map { $name->() } 1 .. $count;
		my $score = sprintf('%.1f', rand(40) - 10);
		my $learn = ('no no', 'ham no', 'spam yes', 'disabled')[rand 4];
		compare_status($score >= 5 ? 1 : 0, $score, 5, $learn, @names);
	}
}
for my $length (1 .. 120) {
	compare_status(1, 7.5, 5, 'no no', 'A' x $length, 'B' x (($length * 7) % 90 + 1));
}
compare_status(0, $_, 5, 'no', 'A') for (0, 0.9, 1, 1.9, -0.1, -12, 4.9, 4.96, 4.94);
compare_status(1, $_, 5, 'spam', 'A', 'B') for (5, 5.04, 49.9, 50, 51, 1001.3, 999.9);

printf("%d checks of relay lines, %d of X-Spam fields, %d failed\n", $relay_tests,
	$tests - $relay_tests, $failures);
exit($failures ? 1 : 0);
