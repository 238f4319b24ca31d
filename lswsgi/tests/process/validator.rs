//! `wsgiref.validate` between the runtime and applications of every kind: it watches both sides and finds nothing.

use lsapi::RequestBuilder;

use crate::support::Start;

const APPLICATION: &str = "import io, warnings\n\
    from wsgiref.validate import validator\n\
    warnings.simplefilter('error')\n\
    OK = [('Content-Type', 'text/plain')]\n\
    def reads(environ, start_response):\n\
    \x20   body = environ['wsgi.input']\n\
    \x20   data = body.read(2) + body.readline(1) + body.readline() + b''.join(body) + b''.join(body.readlines())\n\
    \x20   environ['wsgi.errors'].write('noted\\n')\n\
    \x20   environ['wsgi.errors'].writelines(['a\\n', 'b\\n'])\n\
    \x20   environ['wsgi.errors'].flush()\n\
    \x20   start_response('200 OK', list(OK))\n\
    \x20   return [data]\n\
    def writes(environ, start_response):\n\
    \x20   start_response('200 OK', list(OK))(b'written')\n\
    \x20   return [b'']\n\
    def streams(environ, start_response):\n\
    \x20   start_response('200 OK', list(OK))\n\
    \x20   yield b'one '\n\
    \x20   yield b'two'\n\
    def file(environ, start_response):\n\
    \x20   start_response('200 OK', list(OK))\n\
    \x20   return environ['wsgi.file_wrapper'](io.BytesIO(b'a file'))\n\
    def nothing(environ, start_response):\n\
    \x20   start_response('204 No Content', [])\n\
    \x20   return []\n\
    checked = {f'/{app.__name__}': validator(app) for app in (reads, writes, streams, file, nothing)}\n\
    def application(environ, start_response):\n\
    \x20   return checked[environ['PATH_INFO']](environ, start_response)\n";

#[test]
fn the_validator_of_the_standard_library_has_no_complaint() {
    for errors in ["stderr", "lsapi"] {
        let (mut worker, mut connection) =
            Start::application(APPLICATION).arg("--errors").arg(errors).connected();
        for (path, status, body) in [
            ("/reads", 200, "0\n1\n2\n3\n"),
            ("/writes", 200, "written"),
            ("/streams", 200, "one two"),
            ("/file", 200, "a file"),
            ("/nothing", 204, ""),
        ] {
            let response = connection.post(path, b"0\n1\n2\n3\n");
            assert_eq!((response.status, response.text()), (status, body), "{path}: {}", worker.log());
            connection.send(&RequestBuilder::new("HEAD", path).encode());
            let response = connection.response();
            assert_eq!((response.status, response.body.len()), (status, 0), "{path}: {}", worker.log());
        }
        drop(connection);
        assert_eq!(worker.wait().code(), Some(0));
        for complaint in ["Traceback", "Warning", "error:"] {
            assert!(!worker.log().contains(complaint), "{}", worker.log());
        }
    }
}
