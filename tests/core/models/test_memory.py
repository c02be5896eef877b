"""Free memory, read from made-up files of a system and its control groups."""

from melanoma_core.models import memory

GB = 10**9


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def system(tmp_path, available_kb, cgroup=""):
    write(tmp_path / "proc" / "meminfo", f"MemTotal: 9 kB\nMemAvailable:   {available_kb} kB\n")
    write(tmp_path / "proc" / "self" / "cgroup", cgroup)
    return tmp_path / "proc", tmp_path / "cgroup"


def group(folder, limit, used, cache):
    write(folder / "memory.max", f"{limit}\n")
    write(folder / "memory.current", f"{used}\n")
    write(folder / "memory.stat", f"anon 5\nactive_file 7\ninactive_file {cache}\n")


def test_without_a_limit_the_system_s_free_memory_counts(tmp_path):
    assert memory.available(*system(tmp_path, 2_000_000)) == 2_000_000 * 1024


def test_limit_of_a_container_counts_without_reclaimable_memory(tmp_path):
    places = system(tmp_path, 20_000_000, "0::/\n")
    group(places[1], 2 * GB, GB, 300)
    assert memory.available(*places) == GB + 300


def test_limit_of_a_parent_group_counts_too(tmp_path):
    places = system(tmp_path, 20_000_000, "0::/app.slice/server.service\n")
    group(places[1] / "app.slice", 3 * GB, 2 * GB, 0)
    group(places[1] / "app.slice" / "server.service", "max", GB, 0)
    assert memory.available(*places) == GB
    group(places[1] / "app.slice" / "server.service", 500, 100, 0)
    assert memory.available(*places) == 400


def test_group_that_is_visible_only_outside_the_container_is_ignored(tmp_path):
    places = system(tmp_path, 20_000_000, "0::/docker/0123\n")
    group(places[1], 3 * GB, GB, 0)
    assert memory.available(*places) == 2 * GB


def test_limit_of_the_older_interface_is_read(tmp_path):
    places = system(tmp_path, 20_000_000, "5:devices:/\n4:memory:/app\n0::/\n")
    folder = places[1] / "memory" / "app"
    write(folder / "memory.limit_in_bytes", "5000\n")
    write(folder / "memory.usage_in_bytes", "4000\n")
    write(folder / "memory.stat", "inactive_file 1\ntotal_inactive_file 200\n")
    assert memory.available(*places) == 1200


def test_usage_above_the_limit_leaves_nothing(tmp_path):
    places = system(tmp_path, 20_000_000, "0::/\n")
    group(places[1], GB, 2 * GB, 0)
    assert memory.available(*places) == 0


def test_little_free_memory_counts_below_a_large_limit(tmp_path):
    places = system(tmp_path, 1000, "0::/\n")
    group(places[1], 2**63, 0, 0)
    assert memory.available(*places) == 1_024_000


def test_a_system_that_does_not_report_memory_gives_none(tmp_path):
    assert memory.available(tmp_path / "proc", tmp_path / "cgroup") is None


def test_this_system_has_between_a_megabyte_and_ten_terabytes():
    here = memory.available()
    assert here is None or 10**6 < here < 10**13
