//! `--from-archive`: the tests of an archive that another machine made.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum as _;

use super::archive::{ABOUT, About, Host, IMAGES, MEMBERS, TESTS};
use crate::flags::Image;
use crate::util::{Progress, vm_dir};

/// An archive that is complete, and for this checkout.
pub(super) struct Archive {
    file: File,
    about: About,
    members: Vec<Member>,
}

/// Where a member is in the file.
struct Member {
    name: String,
    position: u64,
    size: u64,
}

impl Archive {
    /// Opens the archive `path`, which must be of this commit.
    ///
    /// # Errors
    /// It is no archive, not complete, or of another commit.
    pub(super) fn open(path: &Path, commit: &str) -> Result<Self> {
        let shown = path.display();
        let file = File::open(path).with_context(|| format!("can't open {shown}"))?;
        let members = members(&file).with_context(|| format!("can't read {shown}"))?;
        ensure!(
            members.first().is_some_and(|first| first.name == ABOUT),
            "{shown} is no archive by `cargo xtask vm-test --archive`"
        );
        let length = file.metadata()?.len();
        let is_whole = |name: &&'static str| {
            let mut members = members.iter();
            members.any(|it| it.name == *name && it.position + it.size <= length)
        };
        ensure!(
            MEMBERS.iter().all(is_whole),
            "{shown} is not complete: copy it again"
        );
        let about = {
            let mut json = Vec::new();
            part(&file, &members[0])?.read_to_end(&mut json)?;
            serde_json::from_slice(&json)
        };
        let about: About = about.with_context(|| format!("{shown}: can't read {ABOUT}"))?;
        ensure!(
            about.commit == commit,
            "{shown} was made of the commit {}, and this checkout is {commit}",
            about.commit
        );
        Ok(Self {
            file,
            about,
            members,
        })
    }

    /// The images in it, and those that are made from them.
    pub(super) fn images(&self) -> Result<Vec<Image>> {
        let names = self.about.images.iter();
        let image = |name: &String| Image::from_str(name, false).map_err(anyhow::Error::msg);
        names.map(image).collect()
    }

    /// Unpacks the images and templates into `target/vm`, where they replace others. Returns the
    /// path of nextest's archive there.
    pub(super) fn unpack(&self) -> Result<PathBuf> {
        let progress = Progress::new("archive");
        progress.step("unpacking the images and their templates");
        let dir = vm_dir();
        fs::create_dir_all(&dir)?;
        self.unpack_images(&dir)
            .context("can't unpack the images")?;
        let tests = dir.join(TESTS);
        let unpacked = io::copy(&mut self.member(TESTS)?, &mut File::create(&tests)?);
        unpacked.with_context(|| format!("can't write {}", tests.display()))?;
        Ok(tests)
    }

    /// They belong to this user, whoever has packed them.
    fn unpack_images(&self, dir: &Path) -> Result<()> {
        let mut tar = Command::new("tar")
            .args(["--extract", "--preserve-permissions", "--no-same-owner"])
            .args(["--use-compress-program=zstd --decompress", "--file=-"])
            .arg("--directory")
            .arg(dir)
            .stdin(Stdio::piped())
            .spawn()
            .context("can't run tar")?;
        let input = tar.stdin.take().context("tar has no input")?;
        let copied = io::copy(&mut self.member(IMAGES)?, &mut { input });
        let status = tar.wait()?;
        ensure!(status.success(), "tar failed ({status})");
        copied?;
        Ok(())
    }

    /// Says what the templates do not fit, if so.
    pub(super) fn compare_host(&self, accelerator: &str) -> Result<()> {
        let (theirs, ours) = (&self.about.host, Host::here(accelerator)?);
        if *theirs != ours {
            eprintln!(
                "the templates in the archive do not fit this host, so machines boot to make \
                 others: they were made with {}; here is {}",
                theirs.shown(),
                ours.shown()
            );
        }
        Ok(())
    }

    fn member(&self, name: &str) -> Result<impl io::Read> {
        match self.members.iter().find(|member| member.name == name) {
            Some(member) => Ok(part(&self.file, member)?),
            None => bail!("there is no {name} in the archive"),
        }
    }
}

/// The members up to the first that can't be read.
fn members(file: &File) -> Result<Vec<Member>> {
    let mut archive = tar::Archive::new(file);
    let mut members = Vec::new();
    for entry in archive.entries_with_seek()?.map_while(Result::ok) {
        members.push(Member {
            name: entry.path()?.to_string_lossy().into_owned(),
            position: entry.raw_file_position(),
            size: entry.size(),
        });
    }
    Ok(members)
}

fn part(mut file: &File, member: &Member) -> io::Result<impl io::Read> {
    file.seek(SeekFrom::Start(member.position))?;
    Ok(file.take(member.size))
}

#[cfg(test)]
mod tests {
    use super::super::archive::write;
    use super::*;

    /// The error of opening `path`.
    fn error(path: &Path, commit: &str) -> String {
        let opened = Archive::open(path, commit).map(|_| ());
        format!("{:#}", opened.unwrap_err())
    }

    #[test]
    fn only_whole_archives_of_this_commit_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("archive");
        let about = r#"{"commit": "abc", "images": ["minimal"],
            "host": {"qemu": "1", "accelerator": "tcg", "processor": null}}"#;
        fs::create_dir(dir.path().join("target")).unwrap();
        for name in MEMBERS {
            let content = if name == ABOUT { about } else { name };
            fs::write(dir.path().join(name), content).unwrap();
        }
        write(&path, dir.path()).unwrap();
        let archive = Archive::open(&path, "abc").unwrap();
        assert_eq!(archive.images().unwrap(), [Image::Minimal]);
        let mut read = String::new();
        archive
            .member(IMAGES)
            .unwrap()
            .read_to_string(&mut read)
            .unwrap();
        assert_eq!(read, IMAGES);
        assert!(error(&path, "def").contains("of the commit abc, and this checkout is def"));

        // Cut off in a member, between members, and in the first one.
        let whole = fs::read(&path).unwrap();
        let end = usize::try_from(archive.members[3].position).unwrap();
        for length in [end + 3, end, 1024, 520] {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(error(&path, "abc").contains("is not complete"), "{length}");
        }
        for other in [&b""[..], b"text", &[7; 5000], &whole[..300]] {
            fs::write(&path, other).unwrap();
            assert!(error(&path, "abc").contains("is no archive by"));
        }
        assert!(error(Path::new("/no/file"), "abc").contains("can't open /no/file"));
    }
}
