"""Handle errors: ``python client_errors.py URL NAME``."""

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
        print("login failed:", error)
    except CertificateNotTrusted as error:
        print("certificate not trusted:", error.fingerprint)
    except NotFound as error:
        print("no such file:", error)
    except Timeout as error:
        print("timeout:", error)
    except NetworkError as error:
        print("connection failed:", error)
    except ClientError as error:
        print("failed:", error)
    else:
        await client.quit()


if __name__ == "__main__":
    react(lambda reactor: main(reactor, *sys.argv[1:]))
