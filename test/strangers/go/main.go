// A peer of go-libp2p that has TLS alone: dials the address it is given, or listens and says where, and asks the other end for a ping.
//
//	stranger dial ADDRESS PINGS     prints what encrypts the connection and "pong" for each
//	stranger listen                 prints its address; ends when its standard input does
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	tls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	host, err := libp2p.New(
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(tls.ID, tls.New),
		libp2p.DisableRelay(),
	)
	if err != nil {
		return err
	}
	defer host.Close()
	if args[0] == "listen" {
		fmt.Printf("%s/p2p/%s\n", host.Addrs()[0], host.ID())
		_, err = io.Copy(io.Discard, os.Stdin)
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	other, err := peer.AddrInfoFromString(args[1])
	if err != nil {
		return err
	}
	if err := host.Connect(ctx, *other); err != nil {
		return err
	}
	state := host.Network().ConnsToPeer(other.ID)[0].ConnState()
	fmt.Printf("%s %s early %v\n", state.Security, state.StreamMultiplexer, state.UsedEarlyMuxerNegotiation)
	pings, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	for result := range ping.Ping(ctx, host, other.ID) {
		if result.Error != nil {
			return result.Error
		}
		fmt.Println("pong")
		if pings--; pings == 0 {
			return nil
		}
	}
	return nil
}
