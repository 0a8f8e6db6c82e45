"""A channel's objects come from a prefix or a manifest, in an order that its ShuffleConfig decides."""

import json

import pytest

from asteroid_ll.emulator.worker.files import DownloadError, host_share, input_objects, prepare

URI = "s3://asteroids/lists/train.manifest"


@pytest.fixture
def store(virtual):
    virtual.store.create_bucket("asteroids", region="us-west-2")
    for name in "abcdefgh":
        virtual.store.put("asteroids", f"data/2029/{name}.csv", [name.encode()])
    virtual.store.put("asteroids", "data/empty/", [b""])
    return virtual.store


def put_manifest(store, value):
    text = value if isinstance(value, str) else json.dumps(value)
    store.put("asteroids", "lists/train.manifest", [text.encode()])
    return {"S3DataType": "ManifestFile", "S3Uri": URI}


def channel_of(source, **changes):
    return {"ChannelName": "train", "DataSource": {"S3DataSource": source}, **changes}


def job(channel, *, mode="File", hosts=1):
    return {
        "InputDataConfig": [channel],
        "AlgorithmSpecification": {"TrainingInputMode": mode},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": hosts},
    }


def test_a_manifest_names_objects_below_its_prefix_in_its_own_order(store):
    source = put_manifest(store, [{"prefix": "s3://asteroids/data/"}, "2029/b.csv", "2029/a.csv"])
    objects = input_objects(source, store)
    assert [(o.item.key, o.path) for o in objects] == [
        ("data/2029/b.csv", "2029/b.csv"),
        ("data/2029/a.csv", "2029/a.csv"),
    ]


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("{", f'The manifest file "{URI}" cannot be read'),
        ([], f'The manifest file "{URI}" cannot be read'),
        (["a.csv"], f'The manifest file "{URI}" cannot be read'),
        ([{"prefix": "s3://asteroids/data/"}], f'The manifest file "{URI}" names no objects'),
        ([{"prefix": ""}, "a.csv"], f'The manifest file "{URI}" names no objects'),
        ([{"prefix": "s3://asteroids/data/"}, "x.csv"], 'No S3 objects found under S3 URL "s3://asteroids/data/x.csv"'),
    ],
    ids=["no-json", "empty", "no-prefix", "no-suffix", "no-bucket", "no-object"],
)
def test_a_manifest_that_cannot_be_used_names_the_reason(store, manifest, message):
    with pytest.raises(DownloadError) as caught:
        input_objects(put_manifest(store, manifest), store)
    assert str(caught.value) == message


@pytest.mark.parametrize("mode", ["File", "FastFile"])
def test_the_hosts_share_a_manifest(store, tmp_path, mode):
    source = put_manifest(store, [{"prefix": "s3://asteroids/data/2029/"}, "c.csv", "a.csv", "b.csv"])
    request = job(channel_of({**source, "S3DataDistributionType": "ShardedByS3Key"}), mode=mode, hosts=2)
    names = {}
    for host in ("algo-1", "algo-2"):
        assert prepare(tmp_path / host, request, host=host, store=store) == {}
        names[host] = sorted(path.name for path in (tmp_path / host / "input/data/train").iterdir())
    assert names == {"algo-1": ["b.csv", "c.csv"], "algo-2": ["a.csv"]}


PREFIX = {"S3DataType": "S3Prefix", "S3Uri": "s3://asteroids/data/2029/"}


def shares(store, source, *, seed, epoch, n_hosts=1):
    channel = channel_of(source, **({} if seed is None else {"ShuffleConfig": {"Seed": seed}}))
    objects = input_objects(source, store)
    return [
        [o.path for o in host_share(objects, channel, epoch=epoch, host=host, n_hosts=n_hosts)]
        for host in range(n_hosts)
    ]


def test_the_seed_and_the_epoch_decide_the_order(store):
    orders = {(seed, epoch): shares(store, PREFIX, seed=seed, epoch=epoch)[0] for seed in (1, 2) for epoch in (0, 1)}
    assert len({tuple(order) for order in orders.values()}) == 4
    assert orders[1, 0] == shares(store, PREFIX, seed=1, epoch=0)[0]
    everything = [f"{name}.csv" for name in "abcdefgh"]
    assert all(sorted(order) == everything for order in orders.values())
    assert shares(store, PREFIX, seed=None, epoch=1) == [everything]


def test_a_shuffled_channel_sends_other_objects_to_a_host_in_the_next_epoch(store):
    sharded = {**PREFIX, "S3DataDistributionType": "ShardedByS3Key"}
    first, second = (shares(store, sharded, seed=7, epoch=epoch, n_hosts=2) for epoch in (0, 1))
    assert set(first[0]) != set(second[0])
    for halves in (first, second):
        assert (len(halves[0]), len(halves[1])) == (4, 4)
        assert sorted(halves[0] + halves[1]) == [f"{name}.csv" for name in "abcdefgh"]


def test_every_file_of_a_shuffled_stream_is_there_before_it_is_read(store, tmp_path):
    sharded = {**PREFIX, "S3DataDistributionType": "ShardedByS3Key"}
    request = job(channel_of(sharded, ShuffleConfig={"Seed": 7}), mode="Pipe", hosts=2)
    streams = prepare(tmp_path, request, host="algo-1", store=store)
    expected = [shares(store, sharded, seed=7, epoch=epoch, n_hosts=2)[0] for epoch in (0, 1, 2)]
    assert [[path.name for path in streams[tmp_path / "input/data/train"](epoch)] for epoch in (0, 1, 2)] == expected
    assert all(path.is_file() for epoch in (0, 1, 2) for path in streams[tmp_path / "input/data/train"](epoch))
