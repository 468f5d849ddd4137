"""Reads the CAR of an object with the standard library alone: python3 read_car.py FILE prints its id, the bytes of its plaintext, and
how many leaves were checked. Written from "As a CAR" in protocols/erasure/README.md and the words of CARv1.
"""

import sys

from basics import cbor_decode, cid_of, need, read_varint, sha256


def sections(data):
    at = 0
    while at < len(data):
        length, at = read_varint(data, at)
        need(0 < length <= len(data) - at, "a section is cut off")
        yield data[at : at + length]
        at += length


def block(section):
    version, codec, hash_code, hash_length = section[:4]
    need((version, hash_code, hash_length) == (1, 0x12, 32), "not a CIDv1 by SHA-256")
    need(sha256(section[36:]) == section[4:36], "a block has not the hash in its name")
    return codec, section[36:]


def root_of(leaves):
    """RFC 6962, over hashes of leaves."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + root_of(leaves[:split]) + root_of(leaves[split:]))


def main(path):
    with open(path, "rb") as file:
        header, first, *others = sections(file.read())
    need(b"\x67version\x01" in header and b"\x65roots\x81\xd8\x2a\x58\x25\x00" in header, "not a CARv1 with one root")
    codec, document = block(first)
    need(codec == 0x71 and first[:36] in header, "the root is not the first block")
    manifest = cbor_decode(document)
    k = manifest["code"]["k"]
    shards = [[] for _ in range(k)]
    blocks = (block(section) for section in others)
    left = manifest["shardBytes"]
    while left > 0:
        strip = min(left, manifest["stripBytes"])
        for shard in shards:
            for at in range(0, strip, manifest["leafBytes"]):
                codec, leaf = next(blocks)
                need(codec == 0x55 and len(leaf) == min(manifest["leafBytes"], strip - at), "another leaf is due")
                shard.append(sha256(b"\x00" + leaf))
        left -= strip
    need(next(blocks, None) is None, "there is more than the object")
    for shard, leaves in enumerate(shards):
        need(root_of(leaves) == manifest["shards"][shard], "the leaves do not make the shard")
    print(cid_of(document), manifest["bytes"], sum(len(leaves) for leaves in shards))


main(sys.argv[1])
