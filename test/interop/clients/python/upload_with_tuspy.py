"""Uploads a file with tuspy. Prints each event as a line of JSON.

Arguments: the URL that creates uploads, the file, the file that remembers URLs, and how often to
retry. If the upload is interrupted once more, exits with 1; the next run resumes it.
"""

import json
import sys

from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError
from tusclient.storage.filestorage import FileStorage


def report(event: str, **details: object) -> None:
    print(json.dumps({"event": event, **details}), flush=True)


def main(endpoint: str, path: str, urls: str, retries: str) -> int:
    uploader = TusClient(endpoint).uploader(
        path,
        retries=int(retries),
        retry_delay=0,
        store_url=True,
        url_storage=FileStorage(urls),
    )
    report("started", offset=uploader.offset)
    try:
        uploader.upload()
    except TusCommunicationError as error:
        report("interrupted", error=str(error))
        return 1
    report("uploaded", url=uploader.url)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
