"""``make bench``: starts AWS's own engine, measures, writes ``bench/report.json``, prints the table.

Ends with 1 when a bound does not hold.
"""

import os
import sys
import tempfile
from pathlib import Path

ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "TABLE_NAME": "bench",
}


def main() -> int:
    """Everything, in the order of the ledger's table of bounds."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(ACCOUNT)
    from bench import churn, counted, cpu, night, report, rules, segments, starting
    from bench.shop import Shop
    from tests.engines import local

    with tempfile.TemporaryDirectory(prefix="loyalty-bench-") as folder, local.running(Path(folder)) as server:
        shop = Shop(server.endpoint)
        rows = []
        for what, measure in (
            (f"counting, with {counted.LONG:,} entries of history", counted.measure),
            ("CPU of the handlers", cpu.measure),
            ("start of the earn handler", starting.measure),
        ):
            print(what, "…", file=sys.stderr, flush=True)
            rows += measure(shop)
        print(f"a night, beside {night.MANY:,} items", "…", file=sys.stderr, flush=True)
        rows += night.measure(shop.client)
        print("segments, counting", "…", file=sys.stderr, flush=True)
        rows += segments.measure(shop.client)
        shop.client.close()
    print("rules, beside other engines", "…", file=sys.stderr, flush=True)
    rows += rules.measure()
    print("churn, scoring", "…", file=sys.stderr, flush=True)
    rows += churn.measure()
    report.write(rows)
    print(report.table(rows))
    bounds = [row for row in rows if row.bound is not None]
    missed = [row.name for row in bounds if not row.ok]
    print(f"\n{len(bounds) - len(missed)} of {len(bounds)} bounds hold; written to {report.WRITTEN_TO.name}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
