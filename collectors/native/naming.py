"""In which function of which library was each sampled address of a process?"""

import os
import time
from collections import Counter
from collections.abc import Mapping as MappingType
from collections.abc import Sequence

from collectors.inside.folder import ProcessFolder
from collectors.native.demangle import SHOWN_LIMIT, readable
from collectors.native.elf_symbols import BadElf, ElfFile
from collectors.native.mapped import Mapping, Mappings, open_mapped
from collectors.native.symbol_cache import FileKey, Function, SymbolCache
from collectors.profiles.profile import Frame

SECONDS = 0.7
"""For all files of one process; what is left then has no names."""
UNKNOWN_PLACE = "[unknown]"
"""An address in memory that is no longer mapped."""


class Naming:
    """Names addresses of one process, whose memory was seen at `moments`, the newest first."""

    def __init__(self, folder: ProcessFolder, moments: Sequence[Mappings], cache: SymbolCache) -> None:
        self._folder = folder
        self._moments = moments
        self._cache = cache
        self._until = time.monotonic() + SECONDS
        self.notes: list[str] = []

    def frames(self, counts: MappingType[int, int]) -> dict[int, Frame]:
        """The frame of each address, the files with most samples first."""
        frames: dict[int, Frame] = {}
        files: dict[tuple[bytes, int, bytes], dict[int, Mapping]] = {}
        weights: Counter[tuple[bytes, int, bytes]] = Counter()
        for address, count in counts.items():
            mapping = self._mapping(address)
            if mapping is None or not mapping.is_file:
                frames[address] = Frame("", UNKNOWN_PLACE if mapping is None else mapping.name, None, True)
                continue
            identity = (mapping.device, mapping.inode, mapping.path)
            files.setdefault(identity, {})[address] = mapping
            weights[identity] += count
        for identity, _ in weights.most_common():
            frames.update(self._of_one_file(files[identity]))
        return frames

    def _mapping(self, address: int) -> Mapping | None:
        return next((found for moment in self._moments if (found := moment.at(address)) is not None), None)

    def _of_one_file(self, places: dict[int, Mapping]) -> dict[int, Frame]:
        mapping = next(iter(places.values()))
        names: dict[int, str] = {}
        try:
            descriptor = open_mapped(self._folder, mapping)
            try:
                self._name({address: one.file_offset(address) for address, one in places.items()}, descriptor, names)
            finally:
                os.close(descriptor)
        except BadElf as error:
            self.notes.append(f"{mapping.name}: {error}")
        except OSError as error:
            self.notes.append(f"{mapping.name}: {os.strerror(error.errno or 0)}")
        return {address: Frame(names.get(address, ""), mapping.name, None, True) for address in places}

    def _name(self, offsets: dict[int, int], descriptor: int, names: dict[int, str]) -> None:
        """Add the name of each address, by its place in the file, to `names`: first those that are known."""
        status = os.fstat(descriptor)
        key = FileKey(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        file = ElfFile(descriptor)
        places = {address: place for address, at in offsets.items() if (place := file.address(at)) is not None}
        known = self._cache.known(key, set(places.values()))
        names.update((address, known[place]) for address, place in places.items() if place in known)
        unknown = {place for place in places.values() if place not in known}
        if not unknown:
            return
        symbols = file.symbols(unknown, self._until)
        shown = {symbol: self._readable(symbol.name) for symbol in set(symbols.values())}
        functions = {place: Function(place, place + 1, "") for place in unknown}
        functions.update((place, Function(one.begin, one.end, shown[one])) for place, one in symbols.items())
        self._cache.add(key, functions.values())
        names.update((address, functions[place].name) for address, place in places.items() if place in functions)

    def _readable(self, symbol: str) -> str:
        return readable(symbol) if time.monotonic() < self._until else symbol[:SHOWN_LIMIT]
