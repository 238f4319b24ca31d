//! Configuration files, as people write them and as they get them wrong.

use std::path::Path;
use std::time::Duration;

use super::keys::KEYS;
use crate::config::*;
use crate::{Address, AppLog};

const FILE: &str = "/etc/mock/server.toml";

fn read(text: &str) -> ServerConfig {
    ServerConfig::from_toml_text(text, Path::new(FILE)).unwrap_or_else(|error| panic!("{error}"))
}

/// Line and message of each mistake.
fn mistakes(text: &str) -> Vec<(usize, String)> {
    match ServerConfig::from_toml_text(text, Path::new(FILE)) {
        Err(ConfigError::File(errors)) => {
            errors.into_iter().map(|error| (error.line, error.message)).collect()
        }
        other => panic!("{text}: {other:?}"),
    }
}

/// The one mistake.
fn mistake(text: &str) -> (usize, String) {
    let mut mistakes = mistakes(text);
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    mistakes.remove(0)
}

fn assert_wrong(text: &str, line: usize, message: &str) {
    let (at, said) = mistake(text);
    assert!(at == line && said.contains(message), "{text}\n{at}: {said}");
}

const APP: &str = "[[extProcessor]]\nname = 'a'\npath = '/bin/a'\n";

fn app_with(lines: &str) -> String {
    format!("{APP}{lines}\n")
}

#[test]
fn an_empty_file_is_the_real_servers_defaults() {
    let expected = ServerConfig::new().doc_root("/etc/mock/html");
    assert_eq!(read(""), expected);
    assert_eq!(read(APP).apps, [ExternalApp::new("a").command(["/bin/a"])]);
}

#[test]
fn every_setting_of_an_application_is_read() {
    let app = read(
        "[[extProcessor]]\nname = 'a'\ntype = 'lsapi'\naddress = 'uds://tmp/a.sock'\npath = '/bin/a \"b c\"'\n\
         env = ['Z=1', 'A=x=y', 'Z=2']\ninstances = 3\nmaxConns = 7\ninitTimeout = 4\nretryTimeout = 0\n\
         pcKeepAliveTimeout = 9\nbacklog = 11\nautoStart = 2\nrunOnStartUp = 1\nextMaxIdleTime = -1\npriority = 5\n\
         umask = 0o027\nmemSoftLimit = '64M'\nmemHardLimit = '1G'\nprocSoftLimit = 500\nextUser = 4000000\n\
         extGroup = 4000001\n",
    );
    let user = crate::User { uid: 4_000_000, gid: 4_000_001, groups: vec![4_000_001] };
    let expected = ExternalApp::new("a")
        .address(Address::Unix("/tmp/a.sock".into()))
        .command(["/bin/a", "b c"])
        .envs([("Z", "1"), ("A", "x=y"), ("Z", "2")])
        .instances(3)
        .max_conns(7)
        .init_timeout(Duration::from_secs(4))
        .retry_timeout(Duration::ZERO)
        .pc_keep_alive_timeout(Some(Duration::from_secs(9)))
        .backlog(11)
        .run_on_start_up(RunOnStartUp::Yes)
        .priority(5)
        .umask(0o027)
        .memory(64 << 20, 1 << 30)
        .processes(500, 500)
        .user(user);
    assert_eq!(app.apps, [expected]);
    assert_eq!(read(&app_with("umask = '077'")).apps[0].umask, 0o077);
    assert_eq!(read(&app_with("env = { B = '1', A = '2' }")).apps[0].env[0].0, "B", "the order stays");
    assert!(!read("[[extProcessor]]\nname = 'a'\naddress = '[::1]:9'\nautoStart = 0").apps[0].auto_start);
}

#[test]
fn settings_without_effect_are_told() {
    let config = read(&app_with("persistConn = 0\nrespBuffer = 2"));
    assert_eq!(config.remarks.len(), 2);
    assert!(
        config.remarks[0].starts_with("extProcessor 'a': persistConn has no effect"),
        "{:?}",
        config.remarks
    );
}

#[test]
fn a_wsgi_context_brings_its_application() {
    let config = read(
        "vhRoot = '/srv'\n[wsgiDefaults]\nbinPath = '/bin/lswsgi'\ninitTimeout = 20\nenv = { D = '1' }\n\
         [[context]]\nuri = '/py/'\ntype = 'appserver'\nappType = 'wsgi'\nlocation = 'site'\nstartupFile = 'a/b.py'\n\
         appserverEnv = 2\nmaxConns = 2\nenv = { E = '2' }\nextMaxIdleTime = 7\n\
         [[context]]\nuri = '/py/in/'\nlocation = '/x'\n",
    );
    let mut wsgi =
        WsgiApp::new("/etc/mock/site").home("/srv").startup_file("a/b.py").mode(AppServerEnv::Staging);
    wsgi.defaults = vec![("D".into(), "1".into())];
    let app = ExternalApp::wsgi("wsgi:/py/", wsgi)
        .command(["/bin/lswsgi", "-m", "/etc/mock/site/a/b.py"])
        .init_timeout(Duration::from_secs(20))
        .max_conns(2)
        .env("E", "2")
        .ext_max_idle_time(Some(Duration::from_secs(7)))
        .log(AppLog::Append("/etc/mock/site/stderr.log".into()));
    assert_eq!(config.apps, [app]);
    let contexts = [
        Context::wsgi("/py/", "wsgi:/py/", "/etc/mock/site", "a/b.py"),
        Context::files("/py/in/", "/x").python(true),
    ];
    assert_eq!(config.contexts, contexts);
    assert_eq!(config.doc_root, Path::new("/srv/html"));
}

#[test]
fn mappings_and_variables_are_read() {
    let config = read(&format!(
        "wsgiApplicationGroup = 'g'\nwsgiScriptReloading = 'On'\n{APP}\
         [[scriptHandler]]\nsuffix = '.wsgi, .py'\nhandler = 'a'\n\
         [[wsgiScriptAlias]]\nurl = '/one'\nscript = 'one.wsgi'\nhandler = 'a'\ncallableObject = 'app'\n\
         [[wsgiScriptAliasMatch]]\nurl = '^/m/(.)'\nscript = '/m/$1.wsgi'\nhandler = 'a'\n\
         [[context]]\nuri = '/f'\nlocation = 'f.txt'\nrealm = 'r'\nallowBrowse = false\nsetEnv = {{ K = 'v' }}\n\
         [[realm]]\nname = 'r'\nusers = {{ bob = 'pw' }}\n\
         [[phpIniOverride]]\nname = 'memory_limit'\nvalue = '77M'\nadmin = true\n"
    ));
    assert_eq!(config.script_handlers, [ScriptHandler::new(["wsgi", "py"], "a")]);
    let aliases = [
        ScriptAlias::new("/one", "/etc/mock/one.wsgi", "a").variable(CALLABLE_OBJECT, "app"),
        ScriptAlias::matching("^/m/(.)", "/m/$1.wsgi", "a"),
    ];
    assert_eq!(config.aliases, aliases);
    let realm = Realm { name: "r".into(), users: vec![("bob".into(), "pw".into())] };
    let context = Context::files("/f", "/etc/mock/f.txt").realm(realm).allow_browse(false).set_env("K", "v");
    assert_eq!(config.contexts, [context]);
    let variables = config.wsgi_variables_for("/one", Path::new("/etc/mock/one.wsgi"), Some(&aliases[0]));
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(variables, [(APPLICATION_GROUP, "g"), (CALLABLE_OBJECT, "app"), (SCRIPT_RELOADING, "ON")]);
    let php = PhpIni { admin: true, name: "memory_limit".into(), value: "77M".into() };
    assert_eq!(config.php_ini, [php]);
}

#[test]
fn limits_are_read() {
    let limits = read(
        "[tuning]\nmaxReqHeaderSize = '8K'\nmaxReqURLLen = 4096\nmaxReqBodySize = '1G'\nkeepAliveTimeout = 1\n\
         maxKeepAliveReq = 3\nconnTimeout = 2\n",
    )
    .limits;
    assert_eq!((limits.max_req_header_size, limits.max_req_url_len), (8192, 4096));
    assert_eq!((limits.max_req_body_size, limits.max_keep_alive_requests), (1 << 30, 3));
    assert_eq!((limits.keep_alive_timeout.as_secs(), limits.conn_timeout.as_secs()), (1, 2));
}

#[test]
fn unknown_keys_are_told_with_the_one_that_was_meant() {
    assert_wrong(&app_with("maxCons = 8"), 4, "unknown key `maxCons`; did you mean `maxConns`?");
    assert_wrong("[[extProcesor]]\n", 1, "unknown key `extProcesor`; did you mean `extProcessor`?");
    assert_wrong("[tuning]\n\nconTimeout = 1", 3, "did you mean `connTimeout`?");
    assert_wrong("zzz = 1", 1, "unknown key `zzz`, expected one of `vhRoot`, ");
}

#[test]
fn the_message_shows_the_line() {
    let error = ServerConfig::from_toml_text("\nminUid = 5\n", Path::new("a/server.toml")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a/server.toml:2:1: unknown key `minUid`; did you mean `minUID`?\n  2 | minUid = 5\n    | ^"
    );
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_lines() {
    let text = app_with(
        "maxConns = 0\nbacklog = '5'\numask = 22\n[[context]]\nuri = '/x'\ntype = 'lsapi'\nhandler = 'b'\n\
         [tuning]\nmaxReqURLLen = 9\n",
    );
    let lines: Vec<_> = mistakes(&text).into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, [4, 5, 6, 8, 10, 12]);
    let lines: Vec<_> = mistakes("a =\nb = 1\nc = = 2\n").into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, [1, 3], "syntax too");
}

#[test]
fn values_of_the_wrong_kind_or_size_say_what_is_right() {
    for (line, message) in [
        ("maxConns = '8'", "`maxConns` is the text \"8\": write a whole number"),
        ("maxConns = 10001", "`maxConns` is 10001; it goes from 1 to 10000"),
        ("maxConns = -1", "`maxConns` is -1, which is out of range"),
        ("instances = 0", "it goes from 1 to"),
        ("backlog = 101", "it goes from 1 to 100"),
        ("priority = 21", "it goes from -20 to 20"),
        ("autoStart = 3", "it goes from 0 to 2"),
        ("runOnStartUp = 4", "it goes from 0 to 3"),
        ("initTimeout = -1", "write a number of seconds"),
        ("pcKeepAliveTimeout = -2", "write a number of seconds"),
        ("umask = 022", ""),
        ("umask = 22", "write it octal, as 0o022"),
        ("umask = 0o1000", "it goes from 000 to 777"),
        ("memSoftLimit = '5X'", "`memSoftLimit` is the text \"5X\": write a number of bytes"),
        ("memSoftLimit = '99999999999999999999G'", "write a number of bytes"),
        ("memSoftLimit = 5\nmemHardLimit = 4", "more than `memHardLimit`"),
        ("type = 'fcgi'", "unknown `type` `fcgi`, expected one of `lsapi`"),
        ("address = 'x'", "neither a path nor host:port"),
        ("address = 'localhost:80'", "is no IP address"),
        ("env = { A = 1 }", "every value in quotes"),
        ("env = ['A']", "`A` is no variable"),
        ("env = { 'A=B' = 'x' }", "`A=B` is no name of a variable"),
        ("extUser = 'no-such-user'", "there is no user `no-such-user`"),
        ("extUser = 'root'", "user 0 is below `minUID`, 11"),
        ("extGroup = 'root'", "needs `extUser`"),
        ("autoStart = 0", "needs an `address`"),
    ] {
        let text = app_with(line);
        let said = mistakes(&text);
        assert!(said.iter().all(|(at, _)| *at >= 4 || line == "autoStart = 0"), "{line}: {said:?}");
        assert!(said.iter().any(|(_, said)| said.contains(message)), "{line}: {said:?}");
    }
    let long = format!("[[extProcessor]]\nname = 'a'\npath = '/bin/a{}'", " x".repeat(255));
    assert_wrong(&long, 3, "`path` has 256 words; the server takes 255");
    assert_wrong("[[extProcessor]]\nname = 'a'\npath = 'bin/a'", 3, "write the whole path");
    assert_wrong("[[extProcessor]]\nname = 'a'\npath = \"/bin/a 'x\"", 3, "the quote ' is not closed");
    assert_wrong("[[extProcessor]]\npath = '/bin/a'", 1, "the key `name` is missing");
    assert_wrong(&format!("{APP}{APP}"), 5, "there is an external application `a` already");
}

#[test]
fn mappings_that_lead_nowhere_are_told() {
    for (lines, line, message) in [
        ("[[context]]\nuri = '/x/'\ntype = 'lsapi'\nhandler = 'aa'", 7, "unknown external application `aa`"),
        ("[[context]]\nuri = 'x'\nlocation = '/'", 5, "it begins and ends with a slash, as `/x/`"),
        ("[[context]]\nuri = '/x/'", 4, "the key `location` is missing"),
        ("[[context]]\nuri = '/x/'\nlocation = '/'\n[[context]]\nuri = '/x/'\nlocation = '/'", 8, "already"),
        (
            "[[context]]\nuri = '/x/'\ntype = 'lsapi'\nhandler = 'a'\nbinPath = 'x'",
            8,
            "no meaning in a context of type lsapi",
        ),
        ("[[context]]\nuri = '/x/'\ntype = 'appserver'\nlocation = '/x'", 4, "`binPath` is missing"),
        ("[[context]]\nuri = '/x/'\nlocation = '/x'\nrealm = 'r'", 7, "unknown realm `r`"),
        ("[[scriptHandler]]\nsuffix = 'py, wsgi'\nhandler = 'a'", 5, "`wsgi` has to be the first suffix"),
        ("[[scriptHandler]]\nsuffix = 'py'\nhandler = 'x'", 6, "unknown external application `x`"),
        ("[[scriptHandler]]\nsuffix = ['a/b']\nhandler = 'a'", 5, "`a/b` is no suffix"),
        ("[[wsgiScriptAlias]]\nurl = 'x'\nscript = '/x'\nhandler = 'a'", 5, "it begins with a slash"),
        ("[[wsgiScriptAliasMatch]]\nurl = '('\nscript = '/x'\nhandler = 'a'", 5, "is no regular expression"),
        ("[[wsgiScriptAliasMatch]]\nurl = 'x'\nscript = 'x'\nhandler = 'a'", 6, "write the whole path"),
    ] {
        assert_wrong(&app_with(lines), line, message);
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = ServerConfig::from_toml(Path::new("/no/such.toml")).unwrap_err().to_string();
    assert!(error.starts_with("/no/such.toml: cannot be read: "), "{error}");
}

proptest::proptest! {
    /// Whatever is lost from a file or got into it: it is read, or it is told where it is wrong.
    #[test]
    fn damaged_files_are_read_or_refused(at in 0..4000_usize, lost in 0..30_usize, got in "\\PC{0,8}|[\\[\\]='\"\n0-9]{0,4}") {
        let example = include_str!("../../../examples/server.toml");
        let keep = |c: usize| example.char_indices().nth(c).map_or(example.len(), |(at, _)| at);
        let text = format!("{}{got}{}", &example[..keep(at)], &example[keep(at + lost)..]);
        match ServerConfig::from_toml_text(&text, Path::new(FILE)) {
            Ok(config) => assert!(config.validate().is_ok()),
            Err(ConfigError::File(errors)) => {
                assert!(!errors.is_empty() && errors.is_sorted_by_key(|error| error.line), "{errors:?}");
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn the_example_is_right() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/server.toml"));
    let config = ServerConfig::from_toml(path).unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<_> = config.apps.iter().map(|app| app.name.as_str()).collect();
    assert_eq!(names, ["shop", "scripts", "elsewhere", "wsgi:/blog/"]);
    assert_eq!(config.apps[0].command[2], "/srv/the shop/wsgi.py");
    assert!(config.remarks.is_empty());
}

/// A value no key takes is refused for its kind wherever the reader knows the key.
#[test]
fn the_table_has_the_keys_the_reader_has() {
    for key in KEYS {
        let table = match key.section {
            "" => String::new(),
            section @ ("tuning" | "wsgiDefaults") => format!("[{section}]\n"),
            section => format!("[[{section}]]\n"),
        };
        let kinds = if key.section == "context" { &["lsapi", "appserver", "null"][..] } else { &[""] };
        let is_read = kinds.iter().any(|kind| {
            let kind = if kind.is_empty() || key.name == "type" {
                String::new()
            } else {
                format!("type = '{kind}'\n")
            };
            let text = format!("{table}{kind}{} = 1979-05-27\n", key.name);
            mistakes(&text).iter().any(|(_, said)| said.starts_with(&format!("`{}` is a date", key.name)))
        });
        assert!(is_read, "{}.{}", key.section, key.name);
    }
}

/// The table of keys as it is in the README.
fn markdown() -> String {
    let mut table = "| key | default | meaning |\n|---|---|---|\n".to_owned();
    let mut section = "";
    for key in KEYS {
        if key.section != section {
            section = key.section;
            let brackets =
                if ["wsgiDefaults", "tuning"].contains(&section) { ("[", "]") } else { ("[[", "]]") };
            table.push_str(&format!("| **`{}{section}{}`** | | |\n", brackets.0, brackets.1));
        }
        let separated = if key.meaning.is_empty() { String::new() } else { format!("{} ", key.meaning) };
        table.push_str(&format!("| `{}` | {} | {separated}|\n", key.name, key.default));
    }
    table
}

#[test]
fn the_readme_has_the_table_of_keys() {
    let readme = include_str!("../../../../README.md");
    let table = markdown();
    assert!(readme.contains(&table), "the README should have:\n{table}");
}

#[test]
fn the_table_tells_the_defaults_there_are() {
    let server = ServerConfig::new();
    let limits = server.limits;
    let seconds = |time: Duration| time.as_secs().to_string();
    let no_limit = |time: Option<Duration>| time.map_or_else(|| "-1".to_owned(), seconds);
    let start = |app: &ExternalApp| (app.run_on_start_up as u8).to_string();
    let app = ExternalApp::new("a");
    let wsgi = ExternalApp::wsgi("a", WsgiApp::new("/"));
    let AppKind::Wsgi(site) = &wsgi.kind else { panic!("{wsgi:?}") };
    let (variable, value) = site.defaults[0].clone();
    let kib = |bytes: usize| format!("{}K", bytes >> 10);
    let mut known = vec![
        ("", "indexFiles", server.index_files.join(", ")),
        ("", "minUID", server.min_uid.to_string()),
        ("", "minGID", server.min_gid.to_string()),
        ("", "https", server.https.to_string()),
        ("", "pathInfoOverread", server.path_info_overread.to_string()),
        ("extProcessor", "instances", app.instances.to_string()),
        ("extProcessor", "autoStart", u8::from(app.auto_start).to_string()),
        ("context", "startupFile", site.startup_file.display().to_string()),
        ("context", "appserverEnv", (site.mode as u8).to_string()),
        ("context", "allowBrowse", Context::files("/", "/").allow_browse.to_string()),
        ("wsgiDefaults", "env", format!("{}={}", variable.display(), value.display())),
        ("wsgiDefaults", "priority", wsgi.priority.unwrap().to_string()),
        ("tuning", "maxReqHeaderSize", kib(limits.max_req_header_size)),
        ("tuning", "maxReqURLLen", kib(limits.max_req_url_len)),
        ("tuning", "maxReqBodySize", format!("{}M", limits.max_req_body_size >> 20)),
        ("tuning", "keepAliveTimeout", seconds(limits.keep_alive_timeout)),
        ("tuning", "maxKeepAliveReq", limits.max_keep_alive_requests.to_string()),
        ("tuning", "connTimeout", seconds(limits.conn_timeout)),
    ];
    for (section, app) in [("extProcessor", &app), ("wsgiDefaults", &wsgi)] {
        known.extend([
            (section, "maxConns", app.max_conns.to_string()),
            (section, "initTimeout", seconds(app.init_timeout)),
            (section, "retryTimeout", seconds(app.retry_timeout)),
            (section, "pcKeepAliveTimeout", no_limit(app.pc_keep_alive_timeout)),
            (section, "backlog", app.backlog.to_string()),
            (section, "runOnStartUp", start(app)),
            (section, "extMaxIdleTime", no_limit(app.ext_max_idle_time)),
            (section, "umask", format!("{:03o}", app.umask)),
            (section, "suEXECMaxConns", DEFAULT_ACCOUNT_CONNS.to_string()),
        ]);
    }
    for (section, name, default) in &known {
        let key = KEYS.iter().find(|key| key.section == *section && key.name == *name).unwrap();
        assert_eq!(key.default, default, "{section}.{name}");
    }
    // A figure in the table is one the code has been asked for.
    for key in KEYS.iter().filter(|key| key.default.starts_with(|c: char| c.is_ascii_digit() || c == '-')) {
        let told = known.iter().any(|(section, name, _)| *section == key.section && *name == key.name);
        assert!(told || ["persistConn", "respBuffer"].contains(&key.name), "{}.{}", key.section, key.name);
    }
}

#[test]
fn faults_and_accounts_are_read_and_mistakes_told() {
    let app = |more: &str| format!("[[extProcessor]]\nname = 'a'\npath = '/bin/a'\n{more}\n");
    let config =
        read(&app("faults = ['app:latency=20ms', 'server:cut=9']\nsuEXEC = 'account'\nsuEXECMaxConns = 3"));
    assert_eq!(config.apps[0].faults.iter().count(), 2);
    assert_eq!(config.apps[0].suexec, Suexec::PerAccount { max_conns: 3 });
    let config = read(&app("suEXEC = 'daemon'\nsuEXECSecret = 'secret'\nrestartMarker = 'again'"));
    let secret = "/etc/mock/secret".into();
    assert_eq!(config.apps[0].suexec, Suexec::Daemon { max_conns: DEFAULT_ACCOUNT_CONNS, secret });
    assert_eq!(config.apps[0].marker().as_deref(), Some(Path::new("/etc/mock/again")));
    for (more, said) in [
        ("faults = 'latency=20ms'", "begins with its direction"),
        ("suEXECMaxConns = 3", "needs `suEXEC`"),
        ("suEXECSecret = 's'", "is a daemon's"),
        ("suEXEC = 'daemon'", "name its file"),
        ("suEXEC = 'account'\nsuEXECMaxConns = 0", "goes from 1 to 10000"),
        ("suEXEC = 'account'\naddress = '127.0.0.1:9000'", "a socket of its own"),
        ("suEXEC = 'daemon'\nsuEXECSecret = 's'\nextUser = 4000000\nextGroup = 4000000", "is root's"),
        ("suEXEC = 'account'\nautoStart = 0\naddress = '/run/a'", "give it a `path`"),
    ] {
        let told = mistakes(&app(more));
        assert!(told.iter().any(|(_, message)| message.contains(said)), "{more}: {told:?}");
    }
}
