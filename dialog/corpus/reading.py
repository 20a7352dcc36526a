"""Step 1 of `hred prepare`: files are cut into chunks, workers clean them, segments are written."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dialog.corpus.output import WorkFolder
from dialog.corpus.plan import Plan
from dialog.corpus.pool import OrderedPool
from dialog.corpus.records import RawRecord
from dialog.corpus.report import BadRecords
from dialog.corpus.segments import Group, SegmentWriter
from dialog.corpus.settings import Settings
from dialog.corpus.sources import Source
from dialog.corpus.texts import Chunk, clean_chunk

__all__ = ["SegmentReader"]

_CHUNK_BYTES = 4 << 20
_CHUNK_RECORDS = 8_000


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a chunk belongs: its segment, and the file that it comes from."""

    group: int
    segment: int
    source: Source


class SegmentReader:
    """Makes the segments of this part that are not there yet."""

    def __init__(
        self,
        settings: Settings,
        plan: Plan,
        groups: list[Group],
        work: WorkFolder,
        pool: OrderedPool,
        progress: Callable[[str, int, int], None],
    ) -> None:
        self._settings = settings
        self._plan = plan
        self._groups = groups
        self._store = work.store
        self._pool = pool
        self._progress = progress
        self._bad = BadRecords(settings.max_bad)
        self._total = sum(source.file.num_bytes for group in groups for source in group.sources)
        self._before = 0
        self._ended: deque[tuple[int, int]] = (
            deque()
        )  # groups read to their end, and how many segments they have
        self._is_tokenised = settings.tokenizer_from is not None

    def run(self) -> None:
        """Reads all files."""
        places: deque[_Place] = deque()  # of the chunks on their way: the pool keeps their order
        writer: SegmentWriter | None = None
        last: tuple[int, int] | None = None
        for cleaned in self._pool.map(clean_chunk, self._chunks(places)):
            place = places.popleft()
            if (place.group, place.segment) != last:
                self._close(writer, place.group)
                last = (place.group, place.segment)
                writer = SegmentWriter(self._store, *last, self._is_tokenised)
            assert writer is not None
            shown = place.source.file.shown
            writer.write(cleaned, shown)
            if self._settings.shard == (1, 1):  # the parts' sum is judged when they are merged
                self._bad.add(shown, cleaned.bad, cleaned.counts["conversations_read"])
        self._close(writer, len(self._groups))

    def _close(self, writer: SegmentWriter | None, next_group: int) -> None:
        """Ends a segment, then the groups that are complete with it."""
        if writer is not None:
            writer.close()
        while self._ended and self._ended[0][0] < next_group:
            self._store.write_end(*self._ended.popleft())

    def _chunks(self, places: deque[_Place]) -> Iterator[Chunk]:
        for group in self._groups:
            if self._is_done(group):
                self._before += sum(source.file.num_bytes for source in group.sources)
                continue
            segment = -1
            for segment, source, records in self._cut(group):
                is_mine = group.is_of(segment, self._settings.shard)
                if is_mine and not self._store.has(group.number, segment):
                    places.append(_Place(group.number, segment, source))
                    yield self._chunk(source, records)
            self._ended.append((group.number, segment + 1))
        self._read(0)

    def _is_done(self, group: Group) -> bool:
        is_mine = group.is_cut or group.is_of(0, self._settings.shard)
        return not is_mine or self._store.end(group.number) is not None

    def _cut(self, group: Group) -> Iterator[tuple[int, Source, list[RawRecord]]]:
        """Yields chunks, each with the segment that it belongs to."""
        segment = num_bytes = 0
        for source in group.sources:
            assert source.log_format is not None
            lines = source.file.lines(self._read)
            all_records = source.log_format.records(source.file, lines)
            for records, chunk_bytes in _chunks_of(
                all_records, min(_CHUNK_BYTES, self._settings.segment_bytes)
            ):
                if group.is_cut and num_bytes >= self._settings.segment_bytes:
                    segment, num_bytes = segment + 1, 0
                num_bytes += chunk_bytes
                yield segment, source, records
            self._before += source.file.num_bytes

    def _chunk(self, source: Source, records: list[RawRecord]) -> Chunk:
        assert source.log_format is not None
        return Chunk(
            source.log_format,
            source.file.name,
            records,
            self._settings.reply_as,
            self._plan.rule_for(source.split),
            self._settings.tokenizer_from,
        )

    def _read(self, done: int) -> None:
        self._progress("Reading the logs", self._before + done, self._total)


def _chunks_of(records: Iterator[RawRecord], most_bytes: int) -> Iterator[tuple[list[RawRecord], int]]:
    """Chunks of a few megabytes, and the bytes of each."""
    chunk: list[RawRecord] = []
    num_bytes = 0
    for record in records:
        chunk.append(record)
        num_bytes += record.num_bytes
        if num_bytes >= most_bytes or len(chunk) >= _CHUNK_RECORDS:
            yield chunk, num_bytes
            chunk, num_bytes = [], 0
    if chunk:
        yield chunk, num_bytes
