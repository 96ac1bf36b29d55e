// Package tests judges the built programs from outside: real clients against
// a shelfd of its own for each test, on the loopback interface. It imports no
// package of the programs, so what it finds is what people get.
//
//	main_test.go      builds shelfd and shelf once, for all tests
//	server_test.go    starts and stops a shelfd
//	client_test.go    an SFTP client in the test process, for exact requests
//	need_test.go      skips or fails a test that can't run here
//	snippet_test.go   runs a few lines of a client library in its language
//	script_test.go    runs testdata/*.txtar: sessions as people type them
//	stock_test.go     sizes and big files with sftp, scp and shelf
//	clients_test.go   every other stock client logs in; what each then does is in
//	                  testdata, paramiko_test.go, sshfs_test.go, rekey_test.go
//	libraries_test.go what people write their own clients with, one row each
//	client_*_test.go  one family of clients each, and what once went wrong for them
//	winscp_test.go    WinSCP's requests, without WinSCP
//	semantics_test.go what clients lean on between OPEN and CLOSE, and after
//	shelf_tty_test.go shelf_cut_test.go shelf_openssh_test.go
//	                  our client at a terminal, cut off, and on another server
//	shelf_proxy_test.go  the long or breaking link that it is led over
//	many_test.go      fifty clients at once
//	operate_test.go page_test.go
//	                  what operators see and how they steer; the page, in a browser
//	hostile_test.go   an account and strangers attack while others work
//	planted_test.go   what lies in a library and is not of it
//	powercut_*_test.go   the power is cut while clients work, on the file system of
//	                  tests/powercut
//	linear_*_test.go  what clients are told is checked to be linearizable
//	bucket_*_test.go  a library in a bucket: its clients, and nodes over it that die, of
//	                  a store that fails, which is in tests/objectstore
//	stop_test.go      a server that is told to stop
//	release_test.go   what "make dist" makes: the same each time, signed, and whole
//	debian_*_test.go  boots a Debian in namespaces, for unit_*_test.go, where
//	                  systemd runs the server, and installed_*_test.go, where it
//	                  comes from the package; image_*_test.go: podman runs it
//	replace_test.go   a file replaced while it is read, an upload cut short
//	bench_test.go     how fast stock clients copy
//	arrows_test.go    which package may import which
//	docs_*_test.go    whether the documents say what is so
//
// A test is skipped if its client is not installed, or if it can't mount or trace
// on this machine. With CI or SHELF_CI set it fails instead. The flag -torture
// runs the long tests in full. HOME is a temporary folder.
package tests
