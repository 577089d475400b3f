"""From the topic of alerts to the webhooks of those who act on them.

receivers     the file of receivers, checked: who is told what, in which form
secret_source secrets of signatures and addresses, from files or the environment
severity      what an alert weighs, by the rules of that file; pure
bodies        the bodies of webhooks, for an alert and for a digest of many
messages      an alert or a digest as what is sent: its id and its body in every form
slack         the same as a message for Slack, with strangers' names made harmless
floods        above a quota alerts of one generator become one digest a window
http_post     one request over HTTP, with one time limit for the whole of it
courier       one receiver: its queue, its tries within a budget, its thread
letters       what could not be delivered, as dead letters of their own
router        each alert to whom it concerns, and back: what may be committed
commits       dead letters and offsets in one transaction
run           the whole, on one screen
preview       what would be sent, without sending
redrive       dead letters once more
verify        a receiver to try with: checks signatures, prints what arrives
"""
