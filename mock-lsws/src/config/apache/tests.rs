//! Apache configurations, whole ones and wrong ones.

use std::path::Path;

use crate::config::*;

const FILE: &str = "/etc/apache2/site.conf";

fn server() -> ServerConfig {
    ServerConfig::new().app(ExternalApp::new("py").command(["/bin/lswsgi"]))
}

fn read(text: &str) -> (ServerConfig, Vec<String>) {
    let mut config = server();
    let ignored = config.add_apache_text(text, Path::new(FILE)).unwrap_or_else(|error| panic!("{error}"));
    (config, ignored.iter().map(ToString::to_string).collect())
}

fn mistakes(text: &str) -> Vec<(usize, String)> {
    match server().add_apache_text(text, Path::new(FILE)) {
        Err(ConfigError::File(errors)) => {
            errors.into_iter().map(|error| (error.line, error.message)).collect()
        }
        other => panic!("{text}: {other:?}"),
    }
}

const SITE: &str = r#"# A Django site as its documentation has it.
<VirtualHost *:80>
    ServerName example.com
    ServerAlias www.example.com
    DocumentRoot /srv/www
    Alias /static/ /srv/site/static/
    Alias /media "/srv/site/user media"
    <Directory /srv/site/static>
        Require all granted
    </Directory>

    WSGIDaemonProcess site python-home=/srv/venv \
        python-path=/srv/site
    wsgiprocessgroup site
    WSGIScriptAlias / /srv/site/wsgi.py process-group=site application-group=%{GLOBAL}
    WSGIScriptAlias /wiki /srv/wiki/wiki.wsgi callable-object=app process-group=wiki
    WSGIScriptAliasMatch "^/tools/([^/]+)" /srv/tools/$1.wsgi
    WSGIApplicationGroup main
    <Directory /srv/site>
        WSGICallableObject make_app
        <Files wsgi.py>
            Require all granted
            WSGIScriptReloading off
        </Files>
    </Directory>
    <Location /wiki>
        WSGIApplicationGroup "wiki group"
        SetHandler wsgi-script
    </Location>
    <IfModule mod_wsgi.c>
        AddType application/x-httpd-wsgi .py
        AddType text/plain .txt
        SetHandler other
    </IfModule>
    <IfModule !mod_wsgi.c>
        WSGIScriptAlias /never /never.py
    </IfModule>
    <LocationMatch "^/x">
        WSGICallableObject never
    </LocationMatch>
</VirtualHost>
"#;

#[test]
fn a_whole_site_moves_over() {
    let (config, ignored) = read(SITE);
    assert_eq!(config.doc_root, Path::new("/srv/www"));
    assert_eq!(
        config.contexts,
        [Context::files("/static/", "/srv/site/static/"), Context::files("/media/", "/srv/site/user media")]
    );
    let aliases = [
        ScriptAlias::new("/", "/srv/site/wsgi.py", "py").variable(APPLICATION_GROUP, "%{GLOBAL}"),
        ScriptAlias::new("/wiki", "/srv/wiki/wiki.wsgi", "py").variable(CALLABLE_OBJECT, "app"),
        ScriptAlias::matching("^/tools/([^/]+)", "/srv/tools/$1.wsgi", "py"),
    ];
    assert_eq!(config.aliases, aliases);
    assert_eq!(config.script_handlers, [ScriptHandler::new(["wsgi", "py"], "py")]);
    let variable =
        |name: &str, value: &str, scope| WsgiVariable { name: name.into(), value: value.into(), scope };
    let variables = [
        variable(APPLICATION_GROUP, "main", Scope::Everywhere),
        variable(CALLABLE_OBJECT, "make_app", Scope::Directory("/srv/site".into())),
        variable(SCRIPT_RELOADING, "OFF", Scope::Files("wsgi.py".into())),
        variable(APPLICATION_GROUP, "wiki group", Scope::Location("/wiki".into())),
    ];
    assert_eq!(config.wsgi_variables, variables);
    let at = |line: usize, what: &str| format!("{FILE}:{line}: {what}");
    assert_eq!(
        ignored,
        [
            at(3, "ServerName is ignored"),
            at(4, "ServerAlias is ignored"),
            at(9, "Require is ignored (2 times)"),
            at(12, "WSGIDaemonProcess is ignored"),
            at(14, "wsgiprocessgroup is ignored"),
            at(15, "process-group= of WSGIScriptAlias is ignored (2 times)"),
            at(28, "SetHandler is ignored (2 times)"),
            at(32, "AddType is ignored"),
            at(35, "<IfModule !mod_wsgi.c> with what is in it is ignored"),
            at(38, "<LocationMatch> with what is in it is ignored"),
        ]
    );
}

#[test]
fn the_narrowest_section_gives_a_request_its_variables() {
    let (config, _) = read(
        "WSGICallableObject a\n<Location /x>\nWSGICallableObject location\n</Location>\n\
         <Directory /srv/deep>\nWSGICallableObject deep\n</Directory>\n\
         <Directory /srv>\nWSGICallableObject directory\n</Directory>\n\
         <Files *.wsgi>\nWSGICallableObject file\n</Files>\n\
         WSGIScriptAlias /alias /srv/a.py callable-object=alias\n",
    );
    let callable = |path: &str, script: &str, alias| {
        let variables = config.wsgi_variables_for(path, Path::new(script), alias);
        assert_eq!(variables.len(), 1);
        variables[0].1.clone()
    };
    assert_eq!(callable("/", "/opt/a.py", None), "a");
    assert_eq!(callable("/", "/srv/a.py", None), "directory");
    assert_eq!(callable("/", "/srvx/a.py", None), "a");
    assert_eq!(callable("/", "/srv/deep/a.py", None), "deep");
    assert_eq!(callable("/", "/srv/deep/a.wsgi", None), "file");
    assert_eq!(callable("/x", "/srv/a.wsgi", None), "location");
    assert_eq!(callable("/x/y", "/srv/a.wsgi", None), "location");
    assert_eq!(callable("/xy", "/srv/a.py", None), "directory");
    assert_eq!(callable("/x", "/srv/a.wsgi", Some(&config.aliases[0])), "alias");
}

#[test]
fn directives_of_the_whole_site_do_not_count_in_a_part_of_it() {
    let (config, ignored) = read("<Location /x>\nWSGIScriptAlias /x /srv/x.py\nAlias /srv\n</Location>\n");
    assert!(config.aliases.is_empty() && config.contexts.is_empty());
    assert_eq!(
        ignored[0],
        format!("{FILE}:2: WSGIScriptAlias in a section for some files or URLs is ignored")
    );
    assert_eq!(ignored.len(), 2);
}

#[test]
fn an_alias_of_one_file_is_that_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("robots.txt");
    std::fs::write(&file, "").unwrap();
    let (config, _) = read(&format!("Alias /robots.txt {}\nAlias /robots.txt /other\n", file.display()));
    assert_eq!(config.contexts[0], Context::files("/robots.txt", file));
}

#[test]
fn every_mistake_is_told_with_its_line() {
    let said = mistakes(
        "WSGIScriptAlias /x\nWSGIScriptAlias x /y\nWSGIScriptAlias /x y.py\nWSGIScriptAliasMatch ( /x\n\
         WSGIScriptReloading maybe\nDocumentRoot ${HOME}/x\n</Directory>\nWSGIScriptAlias / /x word\n<VirtualHost *>\n",
    );
    let expected = [
        "WSGIScriptAlias with 1 values is not what Apache takes",
        "the URL `x` of WSGIScriptAlias begins with a slash",
        "the path `y.py` of WSGIScriptAlias has to be a whole one",
        "the expression of WSGIScriptAliasMatch cannot be used here",
        "WSGIScriptReloading is On or Off",
        "what `${HOME}` stands for is not known here",
        "`</Directory>` closes nothing",
        "`word` is no option of WSGIScriptAlias",
        "`<VirtualHost>` is not closed",
    ];
    assert_eq!(said.len(), expected.len(), "{said:?}");
    for (at, ((line, said), expected)) in said.iter().zip(expected).enumerate() {
        assert!(*line == at + 1 && said.contains(expected), "{line}: {said}");
    }
    let (_, crossed) = &mistakes("<VirtualHost *>\n<Location />\n</VirtualHost>\n</Location>")[0];
    assert_eq!(crossed, "`</VirtualHost>` where `<Location>` has to be closed first");
    assert_eq!(mistakes("Alias \"/x /y\n")[0].1, "the quote \" is not closed");
}

#[test]
fn scripts_go_to_the_handler_of_wsgi_or_the_only_application() {
    let mut config = server().app(ExternalApp::new("other").command(["/bin/x"]));
    let error = config.add_apache_text("WSGIScriptAlias / /x", Path::new(FILE)).unwrap_err().to_string();
    assert!(error.contains("there are 2") && error.contains("suffix wsgi"), "{error}");
    let mut config = config.script_handler(ScriptHandler::new(["wsgi"], "other"));
    config
        .add_apache_text("WSGIScriptAlias / /x\nAddType Application/X-httpd-wsgi py", Path::new(FILE))
        .unwrap();
    assert_eq!(config.aliases[0].handler, "other");
    assert_eq!(config.script_handlers, [ScriptHandler::new(["wsgi", "py"], "other")]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = server().add_apache_conf(Path::new("/no/such.conf")).unwrap_err().to_string();
    assert!(error.starts_with("/no/such.conf: cannot be read"), "{error}");
}

proptest::proptest! {
    /// Whatever is lost from a file or got into it: it is read, or it is told where it is wrong.
    #[test]
    fn damaged_files_are_read_or_refused(at in 0..1500_usize, lost in 0..30_usize, got in "\\PC{0,8}|[<>/\\\\'\"\n ]{0,4}") {
        let keep = |c: usize| SITE.char_indices().nth(c).map_or(SITE.len(), |(at, _)| at);
        let text = format!("{}{got}{}", &SITE[..keep(at)], &SITE[keep(at + lost)..]);
        let mut config = server();
        match config.add_apache_text(&text, Path::new(FILE)) {
            Ok(_) => assert!(config.validate().is_ok()),
            Err(_) => assert_eq!(config, server(), "nothing is half done"),
        }
    }
}
