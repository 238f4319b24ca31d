<?php // Role exception: throws an exception that nobody handles, before any output or after ?after=N bytes of it.
if ($after = (int) ($_GET['after'] ?? 0)) {
    header('Content-Type: text/plain');
    echo str_repeat('x', $after);
    flush();
}
throw new RuntimeException('role exception');
