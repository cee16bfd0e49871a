# SPDX-License-Identifier: PostgreSQL
"""The stories of tests/scenarios on real hosts, with the verdict of the writers at the end"""

import glob
import os
import re

import pytest

from lib.cluster import CUT_OFF
from lib.scenario import Story, lines_of, why_not

HERE = os.path.dirname(os.path.abspath(__file__))
STORIES = sorted(glob.glob(os.path.join(HERE, "..", "scenarios", "*.scn")))


def lost_at_most(path):
    """What the story allows to be lost on a host that goes, or is cut off with its clients."""
    for _, words in lines_of(path):
        if re.search(r"expect lost 0$", " ".join(words)):
            return 0
    return CUT_OFF


@pytest.mark.parametrize("path", STORIES, ids=lambda p: os.path.basename(p)[:-4])
def test_story(cluster, out, path):
    reason = why_not(path)
    if reason:
        pytest.skip("'%s' is for the simulator" % reason)
    with cluster.writers(out) as w:
        Story(cluster, w, path).play()
        w.verdict(max_lost=lost_at_most(path))
