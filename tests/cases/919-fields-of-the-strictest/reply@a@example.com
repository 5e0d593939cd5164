SPAMD/1.1 0 EX_OK
Content-length: @
Spam: False ; 4.5 / 5.0

X-Spam-Checker-Version: SpamAssassin 4.0.1 (2024-03-25) on scorer.example.net
X-Spam-Level: ****
X-Spam-Status: No, score=4.5 required=5.0 tests=RULE_OF_A
	autolearn=no autolearn_force=no version=4.0.1
Subject: Lunch on Tuesday

