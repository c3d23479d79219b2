// The rows of bench/gvt.py in Go, as a Go programmer would write them to be fast.
//
//	goroutines ROW COUNT FIRST_CORE SECOND_CORE   prints one figure
//	goroutines echo PORT                          serves until it is killed
//	goroutines version
//
// All rows but wake_other_worker and the server run on one P and measure the processor time of the
// whole process, the runtime's own threads included.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	clockMonotonic        = 1
	clockProcessProcessor = 2
	mutexGoroutines       = 8
	joinedTogether        = 1000
)

func clock(which uintptr) float64 {
	var t syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, which, uintptr(unsafe.Pointer(&t)), 0)
	return float64(t.Sec)*1e9 + float64(t.Nsec)
}

// perOperation is the processor time of one of `count` operations, in nanoseconds, after a tenth
// as many to warm up.
func perOperation(count int, operations func(count int)) float64 {
	operations(count/10 + 1)
	begin := clock(clockProcessProcessor)
	operations(count)
	return (clock(clockProcessProcessor) - begin) / float64(count)
}

// Two goroutines that yield to each other.
func yield(count int) float64 {
	return perOperation(count, func(count int) {
		var both sync.WaitGroup
		both.Add(2)
		for i := 0; i < 2; i++ {
			go func() {
				for j := 0; j < count/2; j++ {
					runtime.Gosched()
				}
				both.Done()
			}()
		}
		both.Wait()
	})
}

// One goroutine at a time, waited for. A WaitGroup is the cheapest way to wait for one: a channel
// made for each costs some 30 % more.
func spawnJoin(count int) float64 {
	return perOperation(count, func(count int) {
		var ended sync.WaitGroup
		for i := 0; i < count; i++ {
			ended.Add(1)
			go func() { ended.Done() }()
			ended.Wait()
		}
	})
}

// A thousand at a time, then all of them waited for.
func spawnJoinThousand(count int) float64 {
	return perOperation(count, func(count int) {
		var ended sync.WaitGroup
		for i := 0; i < count; i += joinedTogether {
			ended.Add(joinedTogether)
			for j := 0; j < joinedTogether; j++ {
				go func() { ended.Done() }()
			}
			ended.Wait()
		}
	})
}

func channelPingPong(count int) float64 {
	return perOperation(count, func(count int) {
		there, back := make(chan int), make(chan int)
		go func() {
			for value := range there {
				back <- value
			}
			close(back)
		}()
		for i := 0; i < count; i++ {
			there <- i
			<-back
		}
		close(there)
		<-back
	})
}

// Each holds the mutex while it yields, so that the others find it locked and have to wait.
func mutexContended(count int) float64 {
	return perOperation(count, func(count int) {
		var mutex sync.Mutex
		var all sync.WaitGroup
		all.Add(mutexGoroutines)
		for i := 0; i < mutexGoroutines; i++ {
			go func() {
				for j := 0; j < count/mutexGoroutines; j++ {
					mutex.Lock()
					runtime.Gosched()
					mutex.Unlock()
				}
				all.Done()
			}()
		}
		all.Wait()
	})
}

func pinThread(core int) {
	var cores [128]byte
	cores[core/8] = 1 << (core % 8)
	syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, uintptr(len(cores)),
		uintptr(unsafe.Pointer(&cores)))
}

// Two goroutines, each locked to an OS thread with a core of its own. Without that Go runs both on
// one P, and the figure would be that of channel_pingpong.
func wakeOtherWorker(count, firstCore, secondCore int, which uintptr) float64 {
	runtime.GOMAXPROCS(2)
	there, back := make(chan int), make(chan int)
	go func() {
		runtime.LockOSThread()
		pinThread(secondCore)
		for value := range there {
			back <- value
		}
	}()
	runtime.LockOSThread()
	pinThread(firstCore)
	roundTrips := func(count int) {
		for i := 0; i < count; i++ {
			there <- i
			<-back
		}
	}
	roundTrips(count/10 + 1)
	begin := clock(which)
	roundTrips(count)
	return (clock(which) - begin) / float64(count)
}

func residentBytes() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	pages, _ := strconv.Atoi(strings.Fields(string(text))[1])
	return float64(pages * os.Getpagesize())
}

func parkedBytes(count int) float64 {
	runtime.GC()
	gate := make(chan struct{})
	var parked sync.WaitGroup
	residentBytes()
	before := residentBytes()
	parked.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			parked.Done()
			<-gate
		}()
	}
	parked.Wait()
	runtime.Gosched()
	after := residentBytes()
	close(gate)
	return (after - before) / float64(count)
}

// The same delays in every program.
func delays(count int, least, most time.Duration) []time.Duration {
	drawn := make([]time.Duration, count)
	state := uint64(1)
	for i := range drawn {
		state = state*6364136223846793005 + 1442695040888963407
		drawn[i] = least + time.Duration((state>>33)%uint64(most-least))
	}
	return drawn
}

func stoppedTimers(count int, fire func()) []*time.Timer {
	timers := make([]*time.Timer, count)
	for i := range timers {
		timers[i] = time.AfterFunc(time.Hour, fire)
		timers[i].Stop()
	}
	runtime.GC()
	return timers
}

// Timers that exist already are all set, then all stopped.
func timersSetAndCancelled(count int) float64 {
	timers := stoppedTimers(count, func() {})
	after := delays(count, time.Second, time.Minute)
	begin := clock(clockProcessProcessor)
	for i, timer := range timers {
		timer.Reset(after[i])
	}
	for _, timer := range timers {
		timer.Stop()
	}
	return (clock(clockProcessProcessor) - begin) / float64(count)
}

// Timers that exist already are all set, then all fire within a second.
func timersExpired(count int) float64 {
	var left atomic.Int64
	left.Store(int64(count))
	done := make(chan struct{})
	timers := stoppedTimers(count, func() {
		if left.Add(-1) == 0 {
			close(done)
		}
	})
	after := delays(count, time.Second, 2*time.Second)
	begin := clock(clockProcessProcessor)
	for i, timer := range timers {
		timer.Reset(after[i])
	}
	<-done
	return (clock(clockProcessProcessor) - begin) / float64(count)
}

func echo(port string) {
	listener, err := net.Listen("tcp4", "127.0.0.1:"+port)
	if err != nil {
		panic(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer connection.Close()
			buffer := make([]byte, 16*1024)
			for {
				count, err := connection.Read(buffer)
				if err == io.EOF || err != nil {
					return
				}
				if _, err = connection.Write(buffer[:count]); err != nil {
					return
				}
			}
		}()
	}
}

func main() {
	runtime.GOMAXPROCS(1)
	if len(os.Args) == 2 && os.Args[1] == "version" {
		fmt.Println(runtime.Version())
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "echo" {
		echo(os.Args[2])
	}
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: goroutines ROW COUNT FIRST_CORE SECOND_CORE")
		os.Exit(2)
	}
	count, _ := strconv.Atoi(os.Args[2])
	firstCore, _ := strconv.Atoi(os.Args[3])
	secondCore, _ := strconv.Atoi(os.Args[4])
	rows := map[string]func(count int) float64{
		"yield":             yield,
		"spawn_join":        spawnJoin,
		"spawn_join_1000":   spawnJoinThousand,
		"channel_pingpong":  channelPingPong,
		"mutex_contended":   mutexContended,
		"parked_bytes":      parkedBytes,
		"timers_1m":         timersSetAndCancelled,
		"timers_1m_expired": timersExpired,
		"wake_other_worker": func(count int) float64 {
			return wakeOtherWorker(count, firstCore, secondCore, clockMonotonic)
		},
		"wake_other_worker_cpu": func(count int) float64 {
			return wakeOtherWorker(count, firstCore, secondCore, clockProcessProcessor)
		},
	}
	row, known := rows[os.Args[1]]
	if !known {
		fmt.Fprintln(os.Stderr, "no row", os.Args[1])
		os.Exit(2)
	}
	fmt.Printf("%.3f\n", row(count))
}
