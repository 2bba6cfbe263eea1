//! Small file systems of their own, gone when dropped.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted file system.
pub struct Disk {
    dir: tempfile::TempDir,
    /// What it is mounted from; none: memory.
    image: Option<PathBuf>,
}

/// Cuts the power of a [`Disk`].
pub struct Power(File);

impl Disk {
    /// In memory.
    pub fn new(mib: u32) -> Disk {
        let disk = Disk {
            dir: tempfile::tempdir().unwrap(),
            image: None,
        };
        let mount = [
            "mount",
            "-t",
            "tmpfs",
            "-o",
            &format!("size={mib}m"),
            "tmpfs",
        ];
        run(&mount, Some(&disk.mounted_at()));
        disk
    }

    /// Of a file.
    pub fn ext4(mib: u64) -> Disk {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        File::create(&image).unwrap().set_len(mib << 20).unwrap();
        std::fs::create_dir(dir.path().join("mnt")).unwrap();
        run(&["mkfs.ext4", "-q", "-F"], Some(&image));
        let disk = Disk {
            dir,
            image: Some(image),
        };
        disk.mount();
        disk
    }

    /// Where the agent's data are.
    pub fn data(&self) -> PathBuf {
        self.mounted_at().join("data")
    }

    /// Takes up everything but `left` bytes.
    pub fn fill(&self, left: u64) -> PathBuf {
        let path = self.mounted_at().join("filler");
        let free = crate::store::files::free(&self.mounted_at()).unwrap();
        std::fs::write(&path, vec![1; free.saturating_sub(left) as usize]).unwrap();
        path
    }

    /// For a cut later on.
    pub fn power(&self) -> Power {
        Power(File::open(self.mounted_at()).unwrap())
    }

    /// Mounts it as it is found after a cut.
    pub fn power_on(&mut self) {
        run(&["umount"], Some(&self.mounted_at()));
        self.mount();
    }

    /// What a kernel does that finds an error in the file system.
    pub fn turn_read_only(&mut self) {
        run(&["mount", "-o", "remount,abort"], Some(&self.mounted_at()));
        // It is noticed with the next writing.
        let _ = std::fs::write(self.mounted_at().join("notice"), b"me");
    }

    fn mount(&self) {
        let image = self.image.clone().unwrap();
        let image = image.to_str().unwrap();
        run(&["mount", "-o", "loop", image], Some(&self.mounted_at()));
    }

    fn mounted_at(&self) -> PathBuf {
        match self.image {
            Some(_) => self.dir.path().join("mnt"),
            None => self.dir.path().to_path_buf(),
        }
    }
}

impl Power {
    /// From now on nothing reaches the disk, not even what the journal has.
    pub fn cut(&self) {
        const EXT4_IOC_SHUTDOWN: libc::Ioctl = 0x8004_587d_u32 as libc::Ioctl;
        const NO_LOG_FLUSH: u32 = 2;
        let fd = self.0.as_raw_fd();
        #[expect(unsafe_code, reason = "there is no safe wrapper of this ioctl")]
        // SAFETY: the descriptor is open, and the ioctl reads one u32.
        let done = unsafe { libc::ioctl(fd, EXT4_IOC_SHUTDOWN, &NO_LOG_FLUSH) };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run(&["umount", "-l"], Some(&self.mounted_at()));
    }
}

fn run(command: &[&str], path: Option<&Path>) {
    let output = Command::new(command[0])
        .args(&command[1..])
        .args(path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {said}; this test mounts and therefore runs as root with CAP_SYS_ADMIN"
    );
}
