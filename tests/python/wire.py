"""A wire that can be cut: bytes are passed on over TCP, until they are not, and neither end hears of it."""

import contextlib
import selectors
import socket
import threading


class Wire:
    """From a port of this machine to wherever `target` says at the moment at which somebody connects."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.is_cut = False
        self.pairs = set()
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """From now on nothing arrives, and nobody is told."""
        self.is_cut = True

    def mend(self):
        """What was under way is lost, as after minutes of silence; new connections arrive."""
        self.drop()
        self.is_cut = False

    def drop(self):
        """Closes everything that is on it."""
        with self.lock:
            pairs, self.pairs = self.pairs, set()
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.close()
        self.drop()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass, args=(near,), daemon=True).start()

    def _pass(self, near):
        far = socket.socket()
        pair = (near, far)
        with self.lock:
            self.pairs.add(pair)
        try:
            if not self.is_cut:
                far.connect(self.target())
            with selectors.DefaultSelector() as ready:
                for end, other in ((near, far), (far, near)):
                    ready.register(end, selectors.EVENT_READ, other)
                while pair in self.pairs:
                    for key, _ in ready.select(0.2) if not self.is_cut else ():
                        piece = key.fileobj.recv(65536)
                        if not piece:
                            return
                        key.data.sendall(piece)
                    if self.is_cut:
                        # What was sent stays where it is.
                        threading.Event().wait(0.05)
        except OSError:
            pass
        finally:
            with self.lock:
                self.pairs.discard(pair)
            for end in pair:
                end.close()
