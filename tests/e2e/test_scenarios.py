# SPDX-License-Identifier: PostgreSQL
"""The stories of tests/scenarios on real hosts, with the verdict of the writers at the end"""

import glob
import os
import re
import sys

import pytest

from lib.rounds import Round
from lib.scenario import Story, Undecided, lines_of, needs, why_not

HERE = os.path.dirname(os.path.abspath(__file__))
STORIES = sorted(glob.glob(os.path.join(HERE, "..", "scenarios", "*.scn")))


def name_of(path):
    return os.path.basename(path)[:-4]


def lost_at_most(path):
    """A story may say that nothing is lost. Any other loses what no standby had received when the
    primary was cut off or ended, and that Round looks at row by row."""
    return 0 if any(re.search(r"expect lost 0$", " ".join(words))
                    for _, words in lines_of(path)) else sys.maxsize


@pytest.mark.parametrize("path", STORIES, ids=name_of)
def test_story(request, shared, record, out, path):
    reason = why_not(path)
    if reason:
        pytest.skip("'%s' is for the simulator" % reason)
    module, disks = needs(path)
    cluster = shared.get(record, request.getfixturevalue("fence_lib") if module else None, disks)
    undecided = None
    with Round(cluster, out, "story " + name_of(path)) as r:
        story = Story(cluster, r.w, path)
        try:
            story.play()
        except Undecided as e:
            undecided = str(e)
        finally:
            r.at = story.struck_at
        named = any(words[2:3] == ["failover"] for _, words in lines_of(path))
        r.verdict(lost_at_most(path), named)
    if undecided:
        pytest.skip(undecided)
