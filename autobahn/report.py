"""Checks the JSON report of an Autobahn Testsuite run and summarises it by group.

Fails unless every expected case was run and is OK or INFORMATIONAL, in behavior and behaviorClose.
"""

import argparse
import json
import re
import sys
from pathlib import Path

GROUPS = {
    1: "Framing",
    2: "Pings/Pongs",
    3: "Reserved bits",
    4: "Opcodes",
    5: "Fragmentation",
    6: "UTF-8 handling",
    7: "Close handling",
    9: "Limits/performance",
    10: "Misc",
    12: "Compression (different payloads)",
    13: "Compression (different parameters)",
}
COLUMNS = ["Group", "Cases", "OK", "INFORMATIONAL", "Failed", "Seconds"]
ROLES = {
    "server": "the `echo_server` example, tested by the suite's fuzzing client",
    "client": "the `autobahn_client` example, tested by the suite's fuzzing server",
}
ADAPTERS = ["std", "tokio", "futures-io"]


def number(case_id):
    return tuple(int(part) for part in case_id.split("."))


def outcome(case):
    both = {case["behavior"], case["behaviorClose"]}
    if not both <= {"OK", "INFORMATIONAL"}:
        return "Failed"
    return "INFORMATIONAL" if "INFORMATIONAL" in both else "OK"


def read_cases(directory, name):
    index = directory / "index.json"
    if not index.is_file():
        sys.exit("no report was written: {} is missing".format(index))
    return json.loads(index.read_text()).get(name, {})


def summary(cases):
    """One row for each group, and a last one for all."""
    rows = {}
    for case_id, case in cases.items():
        for group in (number(case_id)[0], None):
            row = rows.setdefault(group, dict.fromkeys(COLUMNS, 0))
            row["Cases"] += 1
            row[outcome(case)] += 1
            row["Seconds"] += case["duration"] / 1000
    total = rows.pop(None, dict.fromkeys(COLUMNS, 0))
    for group, row in rows.items():
        row["Group"] = "{} {}".format(group, GROUPS.get(group, "")).rstrip()
    total["Group"] = "Total"
    rows = [rows[group] for group in sorted(rows)] + [total]
    for row in rows:
        row["Seconds"] = "{:.1f}".format(row["Seconds"])
    return rows


def print_table(rows):
    cells = [COLUMNS] + [[str(row[column]) for column in COLUMNS] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(COLUMNS))]
    for line in cells:
        right = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        print("  ".join([line[0].ljust(widths[0])] + right))


def print_failure(directory, case_id, case):
    print("{}: behavior {}, behaviorClose {}".format(case_id, case["behavior"], case["behaviorClose"]))
    detail = directory / case["reportfile"]
    if not detail.is_file():
        print("    (its own report is missing)")
        return
    detail = json.loads(detail.read_text())
    for key in ("description", "result", "resultClose"):
        text = re.sub(r"<[^>]*>", " ", str(detail.get(key)))
        print("    {}: {}".format(key, " ".join(text.split())))


def title(role, adapter):
    return "{} through the {} adapter".format(role.title(), adapter)


def write_results(path, args, rows):
    """Replaces the section of this role and adapter and keeps the others."""
    old = path.read_text() if path.is_file() else ""
    titles = [title(role, adapter) for role in ROLES for adapter in ADAPTERS]
    sections = {}
    for each in titles:
        found = re.search(r"^## {}\n.*?(?=^## |\Z)".format(each), old, re.M | re.S)
        if found:
            sections[each] = found.group().rstrip()
    this = title(args.role, args.adapter)
    lines = [
        "## " + this,
        "",
        "Made by `{}`: {}.".format(args.command, ROLES[args.role]),
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "| --- |" + " ---: |" * (len(COLUMNS) - 1),
    ]
    lines += ["| " + " | ".join(str(row[column]) for column in COLUMNS) + " |" for row in rows]
    sections[this] = "\n".join(lines)
    head = (
        "# Autobahn Testsuite {} results\n\n"
        "Seconds are the sum of the durations the suite measured for the cases of a group, and "
        "depend on what else\nthe machine did."
    ).format(args.suite)
    path.write_text("\n\n".join([head] + [sections[each] for each in titles if each in sections]) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--role", choices=list(ROLES), required=True)
    parser.add_argument("--adapter", choices=ADAPTERS, required=True)
    parser.add_argument("--name", required=True, help="agent name in the report")
    parser.add_argument("--suite", required=True, help="version of the suite")
    parser.add_argument("--cases", type=Path, required=True, help="file with the expected case ids")
    parser.add_argument("--report", type=Path, required=True, help="directory of index.json")
    parser.add_argument("--results", type=Path, help="Markdown file to write")
    parser.add_argument("--command", help="command line named in the Markdown file")
    args = parser.parse_args()

    expected = args.cases.read_text().split()
    cases = read_cases(args.report, args.name)
    missing = [case_id for case_id in expected if case_id not in cases]
    failed = sorted((c for c in cases if outcome(cases[c]) == "Failed"), key=number)
    rows = summary(cases)

    for case_id in failed:
        print_failure(args.report, case_id, cases[case_id])
    if missing:
        print("not run: " + " ".join(missing))
    if failed or missing:
        print()
    print_table(rows)
    if args.results and not missing:
        write_results(args.results, args, rows)

    total = rows[-1]
    print("{}: {} cases, {} OK, {} INFORMATIONAL, {} failed{}".format(
        title(args.role, args.adapter), total["Cases"], total["OK"], total["INFORMATIONAL"], total["Failed"],
        ", {} not run".format(len(missing)) if missing else ""))
    return 1 if failed or missing or not expected else 0


if __name__ == "__main__":
    sys.exit(main())
