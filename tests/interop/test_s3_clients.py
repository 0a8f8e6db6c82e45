"""Other projects' S3 clients against the served emulator, unmodified, with its address and dummy credentials."""

from __future__ import annotations

import os
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.emulator.local import Emulator

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(os.environ.get("ASTEROID_LL_EXHAUSTIVE") != "1", reason="scripts/interop runs it"),
]

ROWS = pd.DataFrame({"name": ["Eros", "Ida", "Bennu"], "h": [10.4, 9.9, 20.2], "hazardous": [False, False, True]})
LARGE = np.random.default_rng(433).bytes(12 * 2**20 + 5)
KEY, SECRET, REGION = "AKIDEXAMPLE", "secret", "eu-west-1"


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A served emulator that the environment points at: its address, and a boto3 client of it in process."""
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    with Emulator(tmp_path / "state") as emulator, emulator.serve() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
        s3 = emulator.session(REGION).client("s3")
        s3.create_bucket(Bucket="rocks", CreateBucketConfiguration={"LocationConstraint": REGION})
        yield url, s3


def keys(s3):
    return [stored["Key"] for stored in s3.list_objects_v2(Bucket="rocks").get("Contents", [])]


def test_pyarrows_file_system(served):
    fs = pytest.importorskip("pyarrow.fs", reason="the package pyarrow is not installed")
    parquet = pytest.importorskip("pyarrow.parquet", reason="the package pyarrow is not installed")
    import pyarrow as pa

    url, s3 = served
    remote = fs.S3FileSystem(
        access_key=KEY, secret_key=SECRET, region=REGION, endpoint_override=url, allow_bucket_creation=True,
        allow_bucket_deletion=True,
    )  # fmt: skip
    remote.create_dir("comets/of/1910")
    remote.delete_dir("comets")
    with remote.open_output_stream("rocks/large", metadata={"Content-Type": "text/plain"}) as stream:
        for start in range(0, len(LARGE), 2**20):
            stream.write(LARGE[start : start + 2**20])
    with remote.open_input_file("rocks/large") as file:
        assert (file.size(), file.read_at(7, 11 * 2**20)) == (len(LARGE), LARGE[11 * 2**20 : 11 * 2**20 + 7])
        assert file.read() == LARGE
    parquet.write_to_dataset(pa.Table.from_pandas(ROWS), "rocks/table", partition_cols=["hazardous"], filesystem=remote)
    table = parquet.read_table("rocks/table", filesystem=remote, filters=[("h", "<", 15)])
    assert sorted(table["name"].to_pylist()) == ["Eros", "Ida"]
    remote.copy_file("rocks/large", "rocks/copy")
    remote.move("rocks/copy", "rocks/moved")
    found = remote.get_file_info(fs.FileSelector("rocks", recursive=True))
    assert {info.path for info in found if info.is_file} >= {"rocks/large", "rocks/moved"}
    remote.delete_dir_contents("rocks")
    assert keys(s3) == []


def test_pandas_through_s3fs(served):
    s3fs = pytest.importorskip("s3fs", reason="the package s3fs is not installed")
    _, s3 = served
    for suffix, write, read in (
        ("parquet", ROWS.to_parquet, pd.read_parquet),
        ("csv", ROWS.to_csv, pd.read_csv),
    ):
        write(f"s3://rocks/table.{suffix}", index=False)
        pd.testing.assert_frame_equal(read(f"s3://rocks/table.{suffix}"), ROWS)
    remote = s3fs.S3FileSystem()
    with remote.open("rocks/large", "wb", block_size=5 * 2**20) as file:
        file.write(LARGE)
    with remote.open("rocks/large", "rb") as file:
        file.seek(-5, os.SEEK_END)
        assert file.read() == LARGE[-5:]
    remote.copy("rocks/large", "rocks/folder/copy")
    assert remote.info("rocks/folder/copy")["size"] == len(LARGE)
    assert remote.glob("rocks/**/*opy") == ["rocks/folder/copy"]
    assert remote.exists("rocks/large")
    remote.setxattr("rocks/table.csv", unit="au")
    assert remote.getxattr("rocks/table.csv", "unit") == "au"
    remote.put_tags("rocks/table.csv", {"run": "1"})
    assert remote.get_tags("rocks/table.csv") == {"run": "1"}
    remote.rm("rocks/folder", recursive=True)
    assert keys(s3) == ["large", "table.csv", "table.parquet"]


def test_smart_open(served):
    smart_open = pytest.importorskip("smart_open", reason="the package smart_open is not installed")
    _, s3 = served
    with smart_open.open("s3://rocks/names.txt.gz", "w") as file:
        file.writelines(f"{name}\n" for name in ROWS["name"])
    with smart_open.open("s3://rocks/names.txt.gz") as file:
        assert file.read().split() == list(ROWS["name"])
    with smart_open.open("s3://rocks/large", "wb") as file:
        file.write(LARGE)
    with smart_open.open("s3://rocks/large", "rb") as file:
        file.seek(2**20)
        assert file.read(9) == LARGE[2**20 : 2**20 + 9]
    assert keys(s3) == ["large", "names.txt.gz"]


@pytest.mark.filterwarnings("ignore:The (inplace|copy) keyword")  # pandas to awswrangler
def test_awswrangler(served):
    wr = pytest.importorskip("awswrangler", reason="the package awswrangler is not installed")
    _, s3 = served
    wr.s3.to_parquet(ROWS, path="s3://rocks/table/", dataset=True, partition_cols=["hazardous"])
    read = wr.s3.read_parquet("s3://rocks/table/", dataset=True).sort_values("h", ignore_index=True)
    assert list(read["name"]) == ["Ida", "Eros", "Bennu"]
    wr.s3.to_csv(ROWS, "s3://rocks/table.csv", index=False)
    pd.testing.assert_frame_equal(wr.s3.read_csv("s3://rocks/table.csv"), ROWS)
    assert wr.s3.get_bucket_region("rocks") == REGION
    assert wr.s3.size_objects("s3://rocks/table.csv")["s3://rocks/table.csv"] > 0
    wr.s3.copy_objects(["s3://rocks/table.csv"], source_path="s3://rocks/", target_path="s3://rocks/copy/")
    assert wr.s3.does_object_exist("s3://rocks/copy/table.csv")
    wr.s3.delete_objects("s3://rocks/")
    assert keys(s3) == []


@pytest.fixture
def folder(tmp_path):
    """A folder with a large file and one with a space in its name."""
    made = tmp_path / "folder"
    (made / "b").mkdir(parents=True)
    (made / "large").write_bytes(LARGE)
    (made / "b" / "a ü+.txt").write_text("Ida")
    return made


def run(*command, **environment):
    done = subprocess.run(
        command, env={**os.environ, **environment}, check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_rclone(served, tmp_path, folder):
    if shutil.which("rclone") is None:
        pytest.skip("rclone is not installed")
    url, s3 = served
    settings = {
        "RCLONE_CONFIG": str(tmp_path / "no.conf"),
        "RCLONE_CONFIG_ROCKS_TYPE": "s3",
        "RCLONE_CONFIG_ROCKS_PROVIDER": "Other",
        "RCLONE_CONFIG_ROCKS_ENV_AUTH": "true",
        "RCLONE_CONFIG_ROCKS_ENDPOINT": url,
        "RCLONE_CONFIG_ROCKS_REGION": REGION,
        "RCLONE_CONFIG_ROCKS_LOCATION_CONSTRAINT": REGION,
        "RCLONE_S3_UPLOAD_CUTOFF": "6M",
    }

    def rclone(*arguments):
        return run("rclone", *arguments, **settings)

    rclone("mkdir", "rocks:comets")
    rclone("sync", str(folder), "rocks:comets/folder")
    rclone("check", "--download", str(folder), "rocks:comets/folder")
    rclone("copy", "rocks:comets/folder", "rocks:rocks/again")
    assert keys(s3) == ["again/b/a ü+.txt", "again/large"]
    rclone("copy", "rocks:rocks/again", str(tmp_path / "back"))
    assert (tmp_path / "back" / "large").read_bytes() == LARGE
    assert "large" in rclone("lsl", "rocks:rocks")
    rclone("moveto", "rocks:rocks/again/large", "rocks:rocks/moved")
    rclone("delete", "rocks:rocks")
    rclone("purge", "rocks:comets")
    assert keys(s3) == []


def test_s3cmd(served, tmp_path, folder):
    """``--acl-private`` is what a copy needs on AWS too, if the bucket has no ACLs: s3cmd's issue 1304."""
    if shutil.which("s3cmd") is None:
        pytest.skip("s3cmd is not installed")
    url, s3 = served
    host = url.removeprefix("http://")

    def s3cmd(*arguments):
        options = ("--config", os.devnull, "--access_key", KEY, "--secret_key", SECRET, "--no-ssl")
        place = ("--host", host, "--host-bucket", host, "--region", REGION)
        return run("s3cmd", *options, *place, "--acl-private", "--multipart-chunk-size-mb=5", *arguments)

    s3cmd("mb", "s3://comets")
    s3cmd("sync", f"{folder}/", "s3://rocks/folder/")
    assert keys(s3) == ["folder/b/a ü+.txt", "folder/large"]
    s3cmd("get", "s3://rocks/folder/large", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == LARGE
    assert "Payer:     BucketOwner" in s3cmd("info", "s3://rocks")
    assert f"File size: {len(LARGE)}" in s3cmd("info", "s3://rocks/folder/large")
    s3cmd("cp", "s3://rocks/folder/large", "s3://comets/copy")
    s3cmd("mv", "s3://comets/copy", "s3://comets/moved")
    assert "s3://comets/moved" in s3cmd("la")
    s3cmd("modify", "--add-header=x-amz-meta-unit:au", "s3://comets/moved")
    assert s3.head_object(Bucket="comets", Key="moved")["Metadata"]["unit"] == "au"
    s3cmd("del", "--recursive", "--force", "s3://rocks/folder/")
    s3cmd("rb", "--recursive", "--force", "s3://comets")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["rocks"]
    assert keys(s3) == []
