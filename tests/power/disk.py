"""A block device that keeps a log of every write and flush, and disks as they would be after a power cut.

QEMU's storage daemon sits below a loop device and logs in the format of dm-log-writes: a superblock, then
entries of one 512-byte header (sector, number of sectors, flags, length) and their data. A write that came before
a FLUSH is on the disk; of the writes after the last FLUSH any part may be, in units of 512 bytes.
"""
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time

SECTOR = 512
MAGIC = 0x6a736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
TOOLS = ("qemu-storage-daemon", "losetup", "mount", "umount", "fusermount3")
FILE_SYSTEMS = {  # how to make it, how to mount it, how large
    "ext4": (("mkfs.ext4", "-q", "-F"), "", 320 << 20),
    "xfs": (("mkfs.xfs", "-q", "-f"), "nouuid", 512 << 20),
    "btrfs": (("mkfs.btrfs", "-q", "-f"), "", 512 << 20),
}


def why_not(file_system="ext4"):
    """The reason why logged disks do not work here, or None."""
    if os.getuid() != 0:
        return "needs root to mount"
    for tool in TOOLS + (FILE_SYSTEMS[file_system][0][0],):
        if not shutil.which(tool):
            return f"needs {tool} (packages qemu-system-common, fuse3, e2fsprogs, xfsprogs, btrfs-progs)"
    for path in ("/dev/fuse", "/dev/loop-control"):
        if not os.path.exists(path):
            return f"needs {path}"
    return None


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def unmount(path):
    """Something may look at a new mount for a moment."""
    for _ in range(50):
        if subprocess.run(("umount", path), stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return
        time.sleep(0.05)
    run("umount", path)


class LoggedDisk:
    """A file system, mounted on path, whose writes are logged. position() is a place in the log."""

    def __init__(self, path, file_system="ext4"):
        make, self.options, self.size = FILE_SYSTEMS[file_system]
        self.file_system, self.path = file_system, path
        self.dir = tempfile.mkdtemp(prefix="quill-disk.", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.loop = self.daemon = None
        self.mounted, self.images, self.reached = False, 0, None
        self.offset, self.entries, self.lock = SECTOR, [], threading.Lock()
        try:
            self._attach(make)
        except BaseException:
            self.close()
            raise

    def _attach(self, make):
        for name, size in (("disk", self.size), ("log", 4 << 30), ("exported", 0)):
            with open(f"{self.dir}/{name}", "wb") as f:
                f.truncate(size)
        self.daemon = subprocess.Popen([
            "qemu-storage-daemon",
            "--blockdev", f"driver=file,node-name=f0,filename={self.dir}/disk",
            "--blockdev", f"driver=file,node-name=l0,filename={self.dir}/log",
            "--blockdev", "driver=raw,node-name=r0,file=f0",
            "--blockdev", "driver=blklogwrites,node-name=lw,file=r0,log=l0,log-sector-size=512",
            "--export", f"type=fuse,id=e0,node-name=lw,mountpoint={self.dir}/exported,writable=on"])
        for _ in range(500):
            if os.path.getsize(f"{self.dir}/exported") == self.size:
                break
            assert self.daemon.poll() is None, "qemu-storage-daemon ended"
            time.sleep(0.01)
        self.log = open(f"{self.dir}/log", "rb", buffering=0)
        self.loop = subprocess.check_output(("losetup", "--show", "-f", f"{self.dir}/exported"), text=True).strip()
        run(*make, self.loop)
        run("mount", self.loop, self.path)
        self.mounted = True

    def position(self):
        """How many entries the log has now. What was acknowledged before the call is among them."""
        with self.lock:
            while self._follow():
                time.sleep(0.0005)
            return len(self.entries)

    def _follow(self):
        """Reads on to the end; true when an entry is still being written before others that are there."""
        while True:
            block = os.pread(self.log.fileno(), SECTOR, self.offset)
            sector, count, flags, length = struct.unpack_from("<QQQQ", block)
            if not (sector or count or flags or length):
                return self._more_behind()
            self.entries.append((sector, count, flags, self.offset + SECTOR))
            self.offset += SECTOR + (0 if flags & DISCARD else count * SECTOR)

    def _more_behind(self):
        page = -self.offset % 4096
        if any(os.pread(self.log.fileno(), page, self.offset)):
            return True
        try:
            os.lseek(self.log.fileno(), self.offset + page, os.SEEK_DATA)
            return True
        except OSError:  # a hole up to the end
            return False

    def cut(self):
        """The disk disappears: nothing is written to it any more. Its log and entries stay."""
        self.position()
        if self.mounted:
            unmount(self.path)
            self.mounted = False
        if self.loop:
            run("losetup", "-d", self.loop)
            self.loop = None
        if self.daemon:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(20)
            self.daemon = None

    def close(self):
        try:
            self.cut()
        finally:
            if self.daemon:
                self.daemon.kill()
                self.daemon.wait()
            shutil.rmtree(self.dir, ignore_errors=True)

    def image(self, position, chance=None):
        """
        The file of a disk on which power failed when the log had position entries. What follows the last flush is
        lost, or with chance (a random.Random) there in a random part.
        """
        flushed = position
        while flushed and not self.entries[flushed - 1][2] & (FLUSH | FUA):
            flushed -= 1
        image = self._fresh()
        keep = None
        if chance:
            keep = chance.choice((0.1, 0.5, 0.9))
        self._advance(flushed)
        run("cp", "--sparse=always", f"{self.dir}/base", image)
        with open(image, "r+b", buffering=0) as f:
            for entry in self.entries[flushed:position] if chance else ():
                if entry[2] & DISCARD or chance.random() > keep:
                    continue
                self._write(f, entry, None if chance.random() < 0.7 else lambda: chance.random() < 0.5)
        return image

    def everything(self, position):
        """The file of a disk to which all of position entries came."""
        image = self._fresh()
        self._advance(position)
        run("cp", "--sparse=always", f"{self.dir}/base", image)
        return image

    def _fresh(self):
        """A new name for every image: a loop device that has not quite gone would show its old content."""
        self.images += 1
        if os.path.exists(f"{self.dir}/crashed.{self.images - 1}"):
            os.unlink(f"{self.dir}/crashed.{self.images - 1}")
        return f"{self.dir}/crashed.{self.images}"

    def _advance(self, position):
        """Brings the file `base` to position, from the start when it is beyond."""
        path = f"{self.dir}/base"
        if self.reached is None or self.reached > position:
            with open(path, "wb") as f:
                f.truncate(self.size)
            self.reached = 0
        with open(path, "r+b", buffering=0) as f:
            for entry in self.entries[self.reached:position]:
                self._write(f, entry, None)
        self.reached = position

    def _write(self, f, entry, whether):
        sector, count, flags, offset = entry
        if flags & DISCARD:
            for at in range(sector, sector + count, 2048):
                os.pwrite(f.fileno(), bytes(min(2048, sector + count - at) * SECTOR), at * SECTOR)
        elif count:
            data = os.pread(self.log.fileno(), count * SECTOR, offset)
            if whether is None:
                os.pwrite(f.fileno(), data, sector * SECTOR)
            for i in range(count) if whether else ():
                if whether():
                    os.pwrite(f.fileno(), data[i * SECTOR:(i + 1) * SECTOR], (sector + i) * SECTOR)


class Crashed:
    """with Crashed((disk, image), …): the images are mounted where their disks were, in that order."""

    def __init__(self, *pairs):
        self.pairs, self.mounted = pairs, []

    def __enter__(self):
        try:
            for disk, image in self.pairs:
                options = "loop" + (f",{disk.options}" if disk.options else "")
                run("mount", "-t", disk.file_system, "-o", options, image, disk.path)
                self.mounted.append(disk.path)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for path in reversed(self.mounted):
            unmount(path)
        self.mounted = []
