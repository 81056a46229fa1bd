"""Prints the ids of the cases the Autobahn Testsuite selects: cases.py CASES EXCLUDE

Both are comma-separated patterns. Runs in the Python that has autobahntestsuite.
"""
from __future__ import print_function

import sys

from autobahntestsuite.case import (
    CaseBasename, CaseCategories, Cases, CaseSetname, CaseSubCategories)
from autobahntestsuite.caseset import CaseSet

cases, exclude = [[p for p in a.split(",") if p] for a in sys.argv[1:3]]
suite = CaseSet(CaseSetname, CaseBasename, Cases, CaseCategories, CaseSubCategories)

for pattern in cases:
    if not any(i in suite.CasesById for i in suite.resolveCasePatternList([pattern])):
        sys.exit("no case matches %s" % pattern)
selected = suite.parseSpecCases({"cases": cases, "exclude-cases": exclude})
if not selected:
    sys.exit("no case is left")
print("\n".join(selected))
