<?php // Role pid: the number of the answering process, nothing else.
header('Content-Type: text/plain');
echo getmypid();
