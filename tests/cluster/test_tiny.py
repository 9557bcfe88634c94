"""The tiny preset on two nodes of Slurm gives what it gives on one machine."""

from cluster.workspace import assert_nothing_lost_nothing_twice


def test_two_nodes_give_the_same_bytes_as_one_machine(cluster, tiny_here, tiny_there):
    for workspace, run in (tiny_here, tiny_there):
        assert run.wait() == 0, workspace.printed()[-6000:]
    here, there = tiny_here[0], tiny_there[0]
    assert there.metrics() == here.metrics()
    assert_nothing_lost_nothing_twice(there, here)
    jobs = cluster.jobs(there.folder)
    assert {state for _, state, *_ in jobs} == {"COMPLETED"}
    assert {node for _, _, node, *_ in jobs} == {"n1", "n2"}
    # far fewer jobs than stages were run
    stages = sum(log.count(" INFO started on ") for log in there.logs().values())
    assert len(jobs) < stages / 4
