"""Runs the fuzzing client of Autobahn's test suite (Python 2.7) against a gateway's compact dialect.

    python2.7 -m virtualenv venv && venv/bin/pip install autobahntestsuite
    venv/bin/python gateway/tests/autobahn/run.py 'ws://127.0.0.1:3001/ws?event=ID'

The suite expects a server that echoes. This one does not, so data messages are taken out of what each
case expects and of what it receives; pongs, close codes, who closes and how are judged as they are.
The end of the process tells: 0 where every case was passed.
"""

import sys

from twisted.internet import reactor

from autobahn.websocket.protocol import WebSocketProtocol
from autobahntestsuite import fuzzing
from autobahntestsuite.case.case import Case

# Messages of more than the 1,024 bytes that a client of maps may send: their close code is checked by
# gateway/tests/http/sockets/conformance.rs, and so are their lengths, in the other dialect.
TOO_LONG = ["9.*", "1.1.6", "1.1.7", "1.1.8", "1.2.6", "1.2.7", "1.2.8", "10.1.1"]
# Compression is declined.
NOT_OFFERED = ["12.*", "13.*"]
PASSED = ("OK", "NON-STRICT", "INFORMATIONAL")


def without_echoes(events):
    return [event for event in events if event[0] != "message"]


def close_as_after_an_echo(protocol):
    if protocol.state != WebSocketProtocol.STATE_CLOSED:
        protocol.sendClose(WebSocketProtocol.CLOSE_STATUS_CODE_NORMAL)


Case.onMessage = lambda self, message, is_binary: None
Case.compare = lambda self, found, expected: without_echoes(found) == without_echoes(expected)
fuzzing.FuzzingProtocol.executeCloseAfter = close_as_after_an_echo
fuzzing.FuzzingProtocol.executeKillAfter = close_as_after_an_echo


def main(url):
    spec = {
        "outdir": "target/autobahn",
        "servers": [{"agent": "tiketi", "url": url}],
        "cases": ["*"],
        "exclude-cases": TOO_LONG + NOT_OFFERED,
        "exclude-agent-cases": {},
    }
    factory = fuzzing.FuzzingClientFactory(spec)
    reactor.run()
    results = factory.agents["tiketi"]
    counts = {}
    for case in sorted(results, key=lambda case: [int(part) for part in case.split(".")]):
        report = results[case]
        outcome = (report["behavior"], report["behaviorClose"])
        counts[outcome] = counts.get(outcome, 0) + 1
        if not all(part in PASSED for part in outcome):
            print "%s %s/%s: %s; %s" % ((case,) + outcome + (report["result"], report["resultClose"]))
    for outcome in sorted(counts):
        print "%4d %s, closed %s" % ((counts[outcome],) + outcome)
    return any(part not in PASSED for outcome in counts for part in outcome)


sys.exit(main(sys.argv[1]))
