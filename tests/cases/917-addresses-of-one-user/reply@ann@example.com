SPAMD/1.1 0 EX_OK
Content-length: @
Spam: True ; 7.3 / 5.0

X-Spam-Checker-Version: SpamAssassin 4.0.1 (2024-03-25) on scorer.example.net
X-Spam-Flag: YES
X-Spam-Level: *******
X-Spam-Status: Yes, score=7.3 required=5.0 tests=HTML_MESSAGE,RDNS_NONE
	autolearn=no autolearn_force=no version=4.0.1
Subject: Lunch on Tuesday

