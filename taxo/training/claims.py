"""Which worker does which run, where several share one folder: a file for each run that is being done."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from zlib import crc32

from taxo.training.folder import writing
from taxo.training.grid import Key
from taxo.training.interrupt import Interrupted, StopRequest

BEAT = 10.0  # seconds between two signs of life
STALE = 60.0  # without one for so long a worker is taken for dead
PAUSE = 0.5  # between two looks at what others do


class Alone:
    """What a worker without others claims: whatever it wants."""

    def __enter__(self) -> Alone:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held."""

    def take(self, key: Key) -> bool:
        """Whether the run is ours."""
        del key
        return True

    def drop(self, key: Key) -> None:
        """The run is done, or given up."""

    def wait(self, stop: StopRequest) -> None:
        """Wait for what others do."""


class Claims(Alone):
    """The runs that this worker does, of those that many share.

    Making a file that must not be there yet is what one worker alone can do, on network folders too. Each
    worker gives signs of life in its files; those of one that died are taken over. Should two take over at
    the same moment, a run is done twice and counted once.
    """

    def __init__(self, folder: Path, beat: float = BEAT, stale: float = STALE) -> None:
        self.folder, self.beat, self.stale = folder, beat, stale
        self.held: set[Path] = set()
        self.seen: dict[Path, tuple[float, float]] = {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._live, daemon=True)

    def __enter__(self) -> Claims:
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self.thread.join()
        for path in list(self.held):
            self._remove(path)

    def take(self, key: Key) -> bool:
        """Whether the run is ours from now on."""
        path = self._path(key)
        if self._is_stale(path):
            # one of those who see it dead succeeds in moving it away; the others find nothing to move
            aside = path.with_name(f"{path.name}.{worker()}")
            try:
                path.rename(aside)
            except FileNotFoundError:
                return False
            aside.unlink()
        try:
            with path.open("x") as file:
                file.write(worker())
        except FileExistsError:
            return False
        self.held.add(path)
        return True

    def drop(self, key: Key) -> None:
        """The run is done, or given up."""
        self._remove(self._path(key))

    def wait(self, stop: StopRequest) -> None:
        """Wait a little for what others do."""
        if stop.made:
            raise Interrupted
        sleep(PAUSE)

    def _path(self, key: Key) -> Path:
        seed, noise, label = key
        return self.folder / f"{seed}-{crc32(f'{noise} {label}'.encode()):08x}"

    def _is_stale(self, path: Path) -> bool:
        """Whether a file has shown no sign of life for long, by our own clock: others may be wrong."""
        try:
            sign = path.stat().st_mtime
        except FileNotFoundError:
            return False
        before, since = self.seen.get(path, (None, 0.0))
        if sign != before:
            self.seen[path] = sign, monotonic()
            return False
        return monotonic() - since > self.stale

    def _remove(self, path: Path) -> None:
        self.held.discard(path)
        path.unlink(missing_ok=True)

    def _live(self) -> None:
        while not self.over.wait(self.beat):
            for path in list(self.held):
                if path.exists():
                    os.utime(path)


def worker() -> str:
    """A name for this process that no other worker has."""
    return f"{socket.gethostname()}-{os.getpid()}"
