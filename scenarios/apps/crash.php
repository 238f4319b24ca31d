<?php // Role crash: ends its process by SIGABRT, or with exit code 7 for ?how=exit; after ?after=N bytes of output.
if ($after = (int) ($_GET['after'] ?? 0)) {
    header('Content-Type: text/plain');
    echo str_repeat('x', $after);
    flush();
}
if (($_GET['how'] ?? '') === 'exit') {
    // PHP's own exit ends the request and not the process.
    pcntl_exec('/bin/sh', ['-c', 'exit 7']);
}
posix_kill(posix_getpid(), SIGABRT);
