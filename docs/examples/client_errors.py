"""Tell a person what went wrong: ``python client_errors.py URL NAME``."""

import sys

from twisted.internet.task import react

from ftpservice_client import (
    AuthenticationFailed,
    CertificateNotTrusted,
    ClientError,
    NetworkError,
    NotFound,
    Settings,
    Timeout,
    connect,
)


async def main(reactor, url, name):
    settings = Settings(timeout=10, stall_timeout=30)
    try:
        client = await connect(url, reactor=reactor, settings=settings)
        await client.download(name, timeout=600)
    except AuthenticationFailed as error:
        print("not let in:", error)
    except CertificateNotTrusted as error:
        print("not trusted:", error.fingerprint)
    except NotFound as error:
        print("not there:", error)
    except Timeout as error:
        print("too slow:", error)
    except NetworkError as error:
        print("cut:", error)
    except ClientError as error:
        print("something else:", error)
    else:
        await client.quit()


if __name__ == "__main__":
    react(lambda reactor: main(reactor, *sys.argv[1:]))
