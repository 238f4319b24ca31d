//! All keys of a configuration file in one table: what the reader knows, and what people are told.

/// A key.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Key {
    /// The table it is in; empty for the top of the file.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it is when it is not written.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

const fn key(section: &'static str, name: &'static str, default: &'static str, meaning: &'static str) -> Key {
    Key { section, name, default, meaning }
}

const APP: &str = "extProcessor";
const CONTEXT: &str = "context";
const DEFAULTS: &str = "wsgiDefaults";
const TUNING: &str = "tuning";

/// Every key there is.
pub const KEYS: &[Key] = &[
    key("", "vhRoot", "folder of the file", "HOME of WSGI contexts; `docRoot` is below it"),
    key("", "docRoot", "html", "the folder of static files and scripts, below `vhRoot`"),
    key("", "indexFiles", "index.html", "files that stand for their folder"),
    key("", "adminEmails", "empty", "SERVER_ADMIN"),
    key("", "minUID", "11", "the smallest user number an application runs as"),
    key("", "minGID", "10", "the smallest group number"),
    key("", "allowExtAppSetuid", "true", "whether an application that runs as root may become another user"),
    key(
        "",
        "keepDetached",
        "none",
        "leave detached applications running when the server stops, as the real one does; a folder for their sockets, where the next server finds them",
    ),
    key("", "stderrLog", "the server's own", "the file that applications write their standard error to"),
    key("", "https", "false", "tell applications `HTTPS=on`, as behind a TLS listener"),
    key(
        "",
        "announced",
        "the real address",
        "the SERVER_ADDR and SERVER_PORT that applications are told, as `\"192.0.2.1:80\"`",
    ),
    key(
        "",
        "pathInfoOverread",
        "false",
        "add bytes behind the NUL of a PATH_INFO that decoding made shorter, as the real server does",
    ),
    key("", "wsgiCallableObject", "none", "request variable WSGICallableObject"),
    key("", "wsgiApplicationGroup", "none", "request variable WSGIApplicationGroup"),
    key("", "wsgiScriptReloading", "none", "request variable WSGIScriptReloading: On or Off"),
    key(APP, "name", "required", "what contexts and handlers call it"),
    key(APP, "type", "lsapi", "nothing else"),
    key(APP, "address", "made up", "`uds://path` or `ip:port`: where it listens"),
    key(
        APP,
        "path",
        "none",
        "the command, split at blanks; '...' and \"...\" are honoured. None: it runs already, at `address`",
    ),
    key(
        APP,
        "env",
        "none",
        "its environment, in order. One of LSAPI_CHILDREN, PHP_LSAPI_CHILDREN and PHP_FCGI_CHILDREN makes its descriptor 0 a listening socket; otherwise each connection has a process",
    ),
    key(
        APP,
        "instances",
        "1",
        "processes that share the listening socket; if not 1, `maxConns` is no more than it",
    ),
    key(
        APP,
        "maxConns",
        "5",
        "connections, and so requests at a time, 1 to 10000; more requests wait in a queue. No more than LSAPI_CHILDREN times `instances`",
    ),
    key(APP, "initTimeout", "3", "seconds until the first request of a connection has to be acknowledged"),
    key(APP, "retryTimeout", "10", "seconds of 503 after all connections have failed; 0: none"),
    key(APP, "pcKeepAliveTimeout", "-1", "seconds an idle connection is kept; -1: for ever"),
    key(APP, "persistConn", "1", "without effect: connections are always kept"),
    key(APP, "respBuffer", "1", "0, 1 or 2: without effect for LSAPI"),
    key(APP, "backlog", "100", "connections that may wait to be accepted, 1 to 100"),
    key(APP, "autoStart", "1", "1 or 2: the server starts it. 0: it only connects"),
    key(
        APP,
        "runOnStartUp",
        "3",
        "0: started by the first request. 1, 2: with the server. 3: with the server, and told that it outlives it (detached)",
    ),
    key(
        APP,
        "extMaxIdleTime",
        "-1",
        "seconds without a request after which it is stopped; -1: never. Detached, it is LSAPI_PGRP_MAX_IDLE, 30 or more",
    ),
    key(APP, "restartMarker", "none", "a file that, when it is touched, has the application started anew"),
    key(
        APP,
        "faults",
        "none",
        "what happens to the bytes of each connection, as `\"app:latency=20ms, server:cut=1000\"`; no setting of a real server",
    ),
    key(APP, "priority", "the server's and 1", "-20 to 20, not below the server's own"),
    key(APP, "umask", "022", "octal"),
    key(APP, "memSoftLimit", "none", "RLIMIT_AS: bytes, or \"500M\""),
    key(APP, "memHardLimit", "as the soft one", "its hard limit"),
    key(APP, "procSoftLimit", "none", "RLIMIT_NPROC; 3 times `maxConns` and 50 at least"),
    key(APP, "procHardLimit", "as the soft one", "its hard limit"),
    key(APP, "extUser", "the server's", "the user it runs as, name or number; takes root"),
    key(APP, "extGroup", "the user's", "the group, name or number"),
    key(
        APP,
        "suEXEC",
        "off",
        "`account`: an application for each account, that of the script's owner (of the startup file, of `docRoot`). `daemon`: one application of root's that is told for whom each connection is. Both take root",
    ),
    key(
        APP,
        "suEXECMaxConns",
        "5",
        "connections, and so processes, of an account, 1 to 10000; no more than `maxConns`",
    ),
    key(
        APP,
        "suEXECSecret",
        "none",
        "the file of the daemon's secret: 16 bytes, mode 600; the daemon is told of it by LSAPI_SECRET",
    ),
    key(CONTEXT, "uri", "required", "the URLs: with a slash at both ends; the longest wins"),
    key(
        CONTEXT,
        "type",
        "null",
        "`lsapi`: an external application. `appserver`: a WSGI application. `null`: files",
    ),
    key(CONTEXT, "handler", "required", "for lsapi: the name of the external application"),
    key(
        CONTEXT,
        "location",
        "required",
        "for appserver: the folder of the application, whose files in `public/` are served as they are. For null: the folder, or the file if `uri` has no slash at its end",
    ),
    key(CONTEXT, "appType", "wsgi", "nothing else"),
    key(CONTEXT, "startupFile", "wsgi.py", "the script, below `location`"),
    key(
        CONTEXT,
        "binPath",
        "that of wsgiDefaults",
        "lswsgi; it is started as `binPath -m location/startupFile`",
    ),
    key(CONTEXT, "appserverEnv", "1", "WSGI_ENV: 0 development, 1 production, 2 staging"),
    key(CONTEXT, "maxConns", "that of wsgiDefaults", "connections; LSAPI_CHILDREN if `env` has none"),
    key(CONTEXT, "extMaxIdleTime", "that of wsgiDefaults", "as above"),
    key(CONTEXT, "env", "none", "the environment, before that of wsgiDefaults"),
    key(CONTEXT, "realm", "none", "the realm whose users may enter"),
    key(CONTEXT, "allowBrowse", "true", "false: 403 for everything in it"),
    key(CONTEXT, "setEnv", "none", "variables added to each request"),
    key(DEFAULTS, "binPath", "none", "lswsgi of all WSGI contexts"),
    key(DEFAULTS, "env", "LSAPI_MAX_IDLE=60", "what the environment gets that nothing else has set"),
    key(DEFAULTS, "maxConns", "5", "as above, for all WSGI contexts; so are the rest"),
    key(DEFAULTS, "initTimeout", "60", ""),
    key(DEFAULTS, "retryTimeout", "0", ""),
    key(DEFAULTS, "pcKeepAliveTimeout", "60", ""),
    key(DEFAULTS, "backlog", "50", ""),
    key(DEFAULTS, "runOnStartUp", "3", ""),
    key(DEFAULTS, "extMaxIdleTime", "300", ""),
    key(DEFAULTS, "faults", "none", ""),
    key(DEFAULTS, "priority", "3", ""),
    key(DEFAULTS, "umask", "022", ""),
    key(DEFAULTS, "memSoftLimit", "none", ""),
    key(DEFAULTS, "memHardLimit", "as the soft one", ""),
    key(
        DEFAULTS,
        "procSoftLimit",
        "none",
        "an installed server has 500; here it would count your other processes",
    ),
    key(DEFAULTS, "procHardLimit", "as the soft one", ""),
    key(DEFAULTS, "extUser", "the server's", ""),
    key(DEFAULTS, "extGroup", "the user's", ""),
    key(DEFAULTS, "suEXEC", "off", ""),
    key(DEFAULTS, "suEXECMaxConns", "5", ""),
    key(DEFAULTS, "suEXECSecret", "none", ""),
    key(
        "scriptHandler",
        "suffix",
        "required",
        "`\"wsgi, py\"`: files below `docRoot` that are scripts. The first gives the MIME type its name, so `wsgi` can only be first",
    ),
    key("scriptHandler", "type", "lsapi", "nothing else"),
    key("scriptHandler", "handler", "required", "the name of the external application"),
    key("realm", "name", "required", "what users are shown, and contexts refer to"),
    key("realm", "users", "none", "names and passwords"),
    key("wsgiScriptAlias", "url", "required", "URLs at and below it lead to the script"),
    key(
        "wsgiScriptAlias",
        "script",
        "required",
        "the script, or a folder of scripts if it ends with a slash",
    ),
    key("wsgiScriptAlias", "handler", "required", "the name of the external application"),
    key("wsgiScriptAlias", "callableObject", "none", "WSGICallableObject of these requests"),
    key("wsgiScriptAlias", "applicationGroup", "none", "WSGIApplicationGroup of these requests"),
    key("wsgiScriptAlias", "scriptReloading", "none", "WSGIScriptReloading of these requests"),
    key(
        "wsgiScriptAliasMatch",
        "url",
        "required",
        "the same with a regular expression, whose groups are `$1`, `$2` ... in `script`",
    ),
    key("wsgiScriptAliasMatch", "script", "required", ""),
    key("wsgiScriptAliasMatch", "handler", "required", ""),
    key("wsgiScriptAliasMatch", "callableObject", "none", ""),
    key("wsgiScriptAliasMatch", "applicationGroup", "none", ""),
    key("wsgiScriptAliasMatch", "scriptReloading", "none", ""),
    key("phpIniOverride", "name", "required", "a setting of PHP; sent to every LSAPI application"),
    key("phpIniOverride", "value", "required", "its value"),
    key("phpIniOverride", "admin", "false", "scripts cannot change it"),
    key(TUNING, "maxReqHeaderSize", "64K", "bytes of a request's head, 1 K to 128 K"),
    key(TUNING, "maxReqURLLen", "32K", "bytes of its target, 200 to 64 K"),
    key(TUNING, "maxReqBodySize", "2047M", "bytes of its body"),
    key(TUNING, "keepAliveTimeout", "5", "seconds an idle client connection is kept"),
    key(TUNING, "maxKeepAliveReq", "10000", "requests on one client connection"),
    key(TUNING, "connTimeout", "300", "seconds a client may make no progress"),
];

/// The keys of `section`.
pub(super) fn of(section: &str) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.section == section)
}
