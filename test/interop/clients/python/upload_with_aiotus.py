"""Uploads a file with aiotus. Prints each event as a line of JSON.

Arguments: the URL that creates uploads, the file, a file that it does not use, because aiotus
remembers no URLs, and how often to retry.
"""

import asyncio
import json
import logging
import sys

import aiotus


def report(event: str, **details: object) -> None:
    print(json.dumps({"event": event, **details}), flush=True)


class Reports(logging.Handler):
    """Reports the warnings of aiotus, which are its failures."""

    def emit(self, record: logging.LogRecord) -> None:
        report("interrupted", error=record.getMessage())


async def main(endpoint: str, path: str, _urls: str, retries: str) -> int:
    logging.getLogger("aiotus").addHandler(Reports(logging.WARNING))
    config = aiotus.RetryConfiguration(
        retry_attempts=int(retries) + 1, max_retry_period_seconds=0
    )
    with open(path, "rb") as file:
        url = await aiotus.upload(endpoint, file, config=config)
    if url is None:
        return 1
    report("uploaded", url=str(url))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
