/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stored message as a mail server would hand it to a mail filter.
 *
 * Header fields: values verbatim with their leading white space, folds as LF and white space. Body:
 * every line ends in CRLF, a bare CR and NUL stay. So does Postfix 3.7 (SMFIP_HDR_LEADSPC).
 */
#ifndef SPAMBRIDGE_CTL_MESSAGE_FILE_H
#define SPAMBRIDGE_CTL_MESSAGE_FILE_H

#include <stdio.h>

#include "base/err.h"
#include "mail/message.h"

/*
 * Read a whole message with LF or CRLF line ends from `file` into `message`, which is not sealed.
 * A first line that begins with "From " (mbox) is left out; a line that is no header field ends
 * the header and belongs to the body. -1 with the reason: it cannot be read, is empty, or a limit
 * of the message was reached.
 */
int message_file_read(FILE *file, struct message *message, struct err *err);

#endif
