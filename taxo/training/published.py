"""Where each published data set lies under the data root, how it is read, and where it is downloaded from."""

from __future__ import annotations

from taxo.training import formats, pictures
from taxo.training.archives import Archive, Source

_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_TORONTO = "https://www.cs.toronto.edu/~kriz/"
_STANFORD = "http://ai.stanford.edu/~acoates/stl10/"
_HOUSES = "http://ufldl.stanford.edu/housenumbers/"
_TINY = "http://cs231n.stanford.edu/"
_IDX_FILES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


def _idx(folder: str, base: str, *checksums: str) -> Source:
    pairs = zip(_IDX_FILES, checksums, strict=True)
    files = tuple(Archive(f"{base}{file}-ubyte.gz", md5) for file, md5 in pairs)
    return Source(folder, "train-images-idx3-ubyte", formats.idx, files)


SOURCES: dict[str, Source] = {
    "mnist": _idx(
        "mnist",
        _MNIST,
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    "fashion_mnist": _idx(
        "fashion_mnist",
        _FASHION,
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    "cifar10": Source(
        "cifar-10-batches-py",
        "test_batch",
        formats.cifar10,
        (Archive(f"{_TORONTO}cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),),
        inside=True,
    ),
    "cifar100": Source(
        "cifar-100-python",
        "test",
        formats.cifar100,
        (Archive(f"{_TORONTO}cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"),),
        inside=True,
    ),
    "svhn": Source(
        "svhn",
        "test_32x32.mat",
        formats.svhn,
        (
            Archive(f"{_HOUSES}train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
            Archive(f"{_HOUSES}test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"),
        ),
    ),
    "stl10": Source(
        "stl10_binary",
        "test_X.bin",
        formats.stl10,
        (Archive(f"{_STANFORD}stl10_binary.tar.gz", "91f7769df0f17e558f3565bffb0c7dfb"),),
        inside=True,
    ),
    "tiny_imagenet": Source(
        "tiny-imagenet-200",
        "val/val_annotations.txt",
        pictures.tiny_imagenet,
        (Archive(f"{_TINY}tiny-imagenet-200.zip", "90528d7ca1a48142e341f4ef8d21d0de"),),
        inside=True,
    ),
    "imagenet": Source(
        "imagenet",
        "train",
        pictures.folder,
        by_hand="ask at image-net.org; then unpack into `imagenet/train/CLASS/` and `imagenet/val/CLASS/`",
    ),
}
