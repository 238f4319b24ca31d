//! The sound applications behind the mutants, and how a mutant is made from one.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mock_lsws::Spawner;
use mock_lsws::scenario::Scenario;

use super::flaws::OPTION;
use super::model::{Breakage, Mutant};
use super::start::Start;
use crate::proxy::{Damage, Replace};
use crate::runner::{self, Order, Plan, Rules, temporary};
use crate::subject::{BinarySource, Place, Staging, Subject, Wishes};
use crate::waivers::Waivers;
use crate::{Error, catalog};

/// The Python that changes how an application starts; it is part of every system the subjects run on.
const PYTHON: &str = "/usr/bin/python3";

/// The program that does it, and the module Python imports at its start.
const PROGRAMS: [(&str, &str); 2] =
    [("start.py", include_str!("start.py")), ("sitecustomize.py", include_str!("sitecustomize.py"))];

/// In what way a sound application is ready to be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// Behind the proxy.
    Damaged,
    /// Started by the program that can change the start.
    Started,
    /// As it is.
    Plain,
}

/// A sound application in one of these forms.
#[derive(Debug)]
pub struct Base {
    /// What it is called in reports.
    pub name: String,
    /// All scenarios there are, with its figures filled in.
    pub catalogue: Vec<Arc<Scenario>>,
    subject: Subject,
    place: Place,
    /// What the place leads to, if these are copies.
    _copies: Option<Staging>,
}

/// What all mutants are made from.
#[derive(Debug)]
pub struct Bench {
    bases: BTreeMap<(Form, String), Base>,
    folder: PathBuf,
    root: PathBuf,
    spawner: PathBuf,
    /// Removes the folder, however this program ends.
    _keeper: Spawner,
}

impl Bench {
    /// Gets ready what `mutants` are made from. `scenarios` is the folder of all scenarios; `say` is told what happens.
    ///
    /// Must be called inside a tokio runtime with I/O and time enabled.
    ///
    /// # Errors
    /// When a subject is wrong or cannot be built.
    pub async fn prepare(
        mutants: &[Mutant],
        scenarios: &Path,
        wishes: &Wishes<'_>,
        say: &dyn Fn(&str),
    ) -> Result<Self, Error> {
        let failed = |source| Error::Harness { what: "there is no folder for what starts mutants", source };
        let keeper = Spawner::start(wishes.spawner, ["spawner"]).await;
        let keeper = keeper.map_err(std::io::Error::other).map_err(failed)?;
        let folder = keeper.make_folder(&temporary()).await.map_err(std::io::Error::other).map_err(failed)?;
        for (name, text) in PROGRAMS {
            let path = folder.join(name);
            fs::write(&path, text).map_err(failed)?;
            // The subjects' user reads them, whatever the mask of whoever runs this takes away.
            fs::set_permissions(&path, Permissions::from_mode(0o644)).map_err(failed)?;
        }
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).map_err(failed)?;
        let mut bench = Self {
            bases: BTreeMap::new(),
            folder,
            root: scenarios.to_owned(),
            spawner: wishes.spawner.to_owned(),
            _keeper: keeper,
        };
        let mut built: BTreeMap<String, PathBuf> = BTreeMap::new();
        for mutant in mutants {
            let key = (form(mutant), mutant.subject.clone());
            if bench.bases.contains_key(&key) {
                continue;
            }
            let base = bench.base(key.0, &mutant.subject, wishes, &mut built, say).await?;
            bench.bases.insert(key, base);
        }
        Ok(bench)
    }

    async fn base(
        &self,
        form: Form,
        name: &str,
        wishes: &Wishes<'_>,
        built: &mut BTreeMap<String, PathBuf>,
        say: &dyn Fn(&str),
    ) -> Result<Base, Error> {
        let mut subject = Subject::load(name, &self.root)?;
        if form == Form::Damaged {
            // Before it is deployed: this program may have to be brought to where the subject's user can run it.
            subject = subject.behind(&self.proxy(Damage::None, None));
        }
        let package = match &subject.source {
            BinarySource::CargoPackage(package) => Some(package.clone()),
            _ => None,
        };
        let known = package.as_ref().and_then(|package| built.get(package).cloned());
        let binary = known.as_deref().or(wishes.binary).filter(|_| package.is_some());
        let (place, copies) = subject.deploy(&Wishes { binary, ..*wishes }, say).await?;
        built.extend(package.map(|package| (package, place.binary.clone())));
        if form == Form::Started {
            subject = subject.behind(&self.starter(&Start::default()));
        }
        let cases = catalog::load(&self.root, &subject.declares)?;
        let name = &subject.name;
        let name = match form {
            Form::Damaged => format!("{name} behind the proxy"),
            Form::Started => format!("{name} as it is started here"),
            Form::Plain => name.clone(),
        };
        let catalogue = cases.into_iter().map(Arc::new).collect();
        Ok(Base { name, catalogue, subject, place, _copies: copies })
    }

    /// The sound application that `mutant` is made from.
    #[must_use]
    pub fn base_of(&self, mutant: &Mutant) -> Option<&Base> {
        self.bases.get(&(form(mutant), mutant.subject.clone()))
    }

    /// All sound applications.
    pub fn bases(&self) -> impl Iterator<Item = &Base> {
        self.bases.values()
    }

    /// How cases run against `mutant`, which is made from `base`; one that fails is tried again so many times.
    #[must_use]
    pub fn plan_of_mutant(&self, base: &Base, mutant: &Mutant, timeout: Duration, retries: u32) -> Plan {
        let sound = base.subject.clone();
        let (subject, log_changes) = match &mutant.breakage {
            Breakage::Damage(damage) => {
                (sound.instead_of(&self.proxy(Damage::None, None), &self.proxy(*damage, None)), Vec::new())
            }
            Breakage::Replace(replace) => (
                sound.instead_of(&self.proxy(Damage::None, None), &self.proxy(Damage::None, Some(replace))),
                Vec::new(),
            ),
            Breakage::Start(start) => {
                (sound.instead_of(&self.starter(&Start::default()), &self.starter(start)), Vec::new())
            }
            Breakage::Log(changes) => (sound, changes.clone()),
            Breakage::Flaw(flaw) => (sound.told(&[OPTION, flaw]), Vec::new()),
        };
        Plan { subject, log_changes, ..self.plan(base, timeout, retries) }
    }

    /// How cases run against `base`; one that fails is tried again so many times.
    #[must_use]
    pub fn plan(&self, base: &Base, timeout: Duration, retries: u32) -> Plan {
        Plan {
            subject: base.subject.clone(),
            place: base.place.clone(),
            root: self.root.clone(),
            catalogue: Vec::new(),
            probes: Vec::new(),
            cases: Vec::new(),
            selection: String::new(),
            waivers: Waivers::default(),
            order: Order { jobs: 1, seed: None, rounds: Some(1), fail_fast: false, retries },
            timeout,
            slow: timeout,
            rules: Rules { min: 0, flaky_fails: false, strict_waivers: false },
            command: String::new(),
            whole_command: String::new(),
            all_transcripts: false,
            spawner: self.spawner.clone(),
            log_changes: Vec::new(),
        }
    }

    /// Why `case` does not apply to any of the applications; nothing if it does to one.
    #[must_use]
    pub fn why_skipped(&self, case: &Scenario) -> Option<String> {
        let reasons =
            self.bases.values().map(|base| runner::why_skipped(&self.plan(base, Duration::ZERO, 0), case));
        reasons.collect::<Option<Vec<_>>>()?.into_iter().next()
    }

    /// The words that put the proxy in front of a command.
    fn proxy(&self, damage: Damage, replace: Option<&Replace>) -> Vec<String> {
        let words = [&*self.spawner.to_string_lossy(), "proxy", "--damage", &damage.name()];
        let mut words = words.map(str::to_owned).to_vec();
        if let Some(Replace { from, to }) = replace {
            words.extend(["--replace", from, to].map(str::to_owned));
        }
        words.push("--".to_owned());
        words
    }

    /// The words that start a command otherwise.
    fn starter(&self, start: &Start) -> Vec<String> {
        let program = self.folder.join("start.py");
        // A table of strings and lists is always JSON.
        let changes = serde_json::to_string(start).unwrap_or_default();
        let words = [PYTHON, "-I", "-S", "-B", &*program.to_string_lossy(), &*changes];
        words.map(str::to_owned).to_vec()
    }
}

const fn form(mutant: &Mutant) -> Form {
    match mutant.breakage {
        Breakage::Damage(_) | Breakage::Replace(_) => Form::Damaged,
        Breakage::Start(_) => Form::Started,
        Breakage::Log(_) | Breakage::Flaw(_) => Form::Plain,
    }
}
