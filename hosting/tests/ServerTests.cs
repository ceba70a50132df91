using System;
using System.IO;
using System.IO.Pipelines;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Ancm.Hosting.Abi;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ancm.Hosting.Tests
{
    internal static class ServerTests
    {
        public static async Task SmallAnswerCrossesInOneCall()
        {
            var request = FakeApp.Request(async context =>
            {
                context.Response.Headers["X-cAsE"] = "v";
                await context.Response.WriteAsync("hello");
                await context.Response.Body.FlushAsync();
                await context.Response.WriteAsync(" world");
            });
            await Run(request);
            Check.Equal("start 200 hello world END", request.Calls);
            Check.Equal("X-cAsE: v", request.Fields.Single());
        }

        public static async Task AnswerWithoutABodyHasAnEnd()
        {
            var request = FakeApp.Request(context =>
            {
                context.Response.StatusCode = 204;
                return Task.CompletedTask;
            });
            await Run(request);
            Check.Equal("start 204 END", request.Calls);
        }

        public static async Task WhatWasFlushedIsSentWhenTheAppPauses()
        {
            var pause = new TaskCompletionSource<bool>();
            var request = FakeApp.Request(async context =>
            {
                await context.Response.WriteAsync("one");
                await pause.Task;
                await context.Response.WriteAsync("two");
            });
            FakeNative.Begin(request);
            await Until(() => request.Calls == "start 200 one");
            pause.SetResult(true);
            await Check.InTime(request.Completed);
            Check.Equal("start 200 one\nwrite two\nwrite END", request.Calls);
        }

        public static async Task WhatWasFlushedIsSentThoughTheAppBlocksItsThread()
        {
            using var block = new ManualResetEventSlim();
            var request = FakeApp.Request(context =>
            {
                context.Response.WriteAsync("one").GetAwaiter().GetResult();
                block.Wait();
                return Task.CompletedTask;
            });
            FakeNative.Begin(request);
            await Until(() => request.Calls == "start 200 one");
            block.Set();
            await Check.InTime(request.Completed);
        }

        public static async Task PromisedLengthEndsTheBody()
        {
            var request = FakeApp.Request(async context =>
            {
                context.Response.ContentLength = 6;
                HoldNothing(context);
                await context.Response.WriteAsync("one");
                await context.Response.WriteAsync("two");
            });
            await Run(request);
            Check.Equal("start 200 one\nwrite two END", request.Calls);
        }

        public static async Task ExceptionBeforeTheStartIs500WithoutTheAppsFields()
        {
            var request = FakeApp.Request(context =>
            {
                context.Response.Headers["X-A"] = "1";
                throw new InvalidOperationException("the app's");
            });
            await Run(request);
            Check.Equal("start 500 END", request.Calls);
            Check.Equal(0, request.Fields.Count);
        }

        public static async Task ExceptionAfterTheStartBreaksTheAnswerOff()
        {
            var request = FakeApp.Request(async context =>
            {
                await context.Response.WriteAsync("part");
                throw new InvalidOperationException("the app's");
            });
            await Run(request);
            Check.Equal("start 200 part\nreset 2", request.Calls);
        }

        public static async Task TooLittleBreaksTheAnswerOffAndTooMuchIsNotSent()
        {
            var few = FakeApp.Request(context =>
            {
                context.Response.ContentLength = 5;
                return context.Response.WriteAsync("1234");
            });
            await Run(few);
            Check.Equal("start 200 1234\nreset 2", few.Calls);
            var many = FakeApp.Request(context =>
            {
                context.Response.ContentLength = 3;
                return context.Response.WriteAsync("1234");
            });
            await Run(many);
            Check.Equal("start 200\nreset 2", many.Calls);
        }

        public static async Task HeadHasNoBody()
        {
            var request = FakeApp.Request(context => context.Response.WriteAsync("hello"), "HEAD");
            await Run(request);
            Check.Equal("start 200 END", request.Calls);
        }

        public static async Task CallbacksOfTheResponseRunInReverse()
        {
            var order = "";
            var request = FakeApp.Request(context =>
            {
                foreach (var name in new[] { "a", "b" })
                {
                    context.Response.OnStarting(() => Add(name));
                    context.Response.OnCompleted(() => Add(name + "!"));
                }
                return context.Response.WriteAsync("x");
            });
            Task Add(string name)
            {
                order += name;
                return Task.CompletedTask;
            }
            await Run(request);
            Check.Equal("bab!a!", order);
        }

        public static async Task BodyIsReadWhenItComes()
        {
            var request = FakeApp.Request(
                async context =>
                {
                    using var reader = new StreamReader(context.Request.Body);
                    await context.Response.WriteAsync(await reader.ReadToEndAsync());
                },
                "POST",
                RequestFlags.HasBody);
            FakeNative.Begin(request);
            foreach (var piece in new[] { "one ", "two ", "three" })
            {
                request.AddBody(piece);
                FakeNative.ReadReady(request.Id);
                await Task.Delay(1);
            }
            request.EndBody();
            FakeNative.ReadReady(request.Id);
            await Check.InTime(request.Completed);
            // Whether the app had paused by then is a matter of luck.
            Check.Equal("start 200 one two three END", request.Calls.Replace("\nwrite END", " END"));
        }

        public static async Task PipeKeepsWhatWasNotConsumed()
        {
            var request = FakeApp.Request(
                async context =>
                {
                    var pipe = context.Request.BodyReader;
                    var first = await pipe.ReadAsync();
                    pipe.AdvanceTo(first.Buffer.GetPosition(1), first.Buffer.End);
                    var second = await pipe.ReadAsync();
                    await context.Response.WriteAsync($"{first.Buffer.Length} {second.Buffer.Length}");
                    pipe.AdvanceTo(second.Buffer.End);
                },
                "POST",
                RequestFlags.HasBody);
            request.AddBody("abc");
            request.AddBody("def");
            request.EndBody();
            await Run(request);
            Check.Equal("start 200 3 5 END", request.Calls);
        }

        public static async Task WriterWaitsForRoom()
        {
            var flushed = false;
            var request = FakeApp.Request(async context =>
            {
                HoldNothing(context);
                await context.Response.WriteAsync("much");
                flushed = true;
            });
            request.Taking = Status.Pending;
            FakeNative.Begin(request);
            await Until(() => request.Calls == "start 200 much");
            await Task.Delay(50);
            Check.Equal(false, flushed);
            FakeNative.WriteReady(request.Id);
            await Check.InTime(request.Completed);
            Check.Equal(true, flushed);
        }

        public static async Task ClientThatLeavesCancelsAndEndsReading()
        {
            var seen = "";
            var request = FakeApp.Request(
                async context =>
                {
                    context.RequestAborted.Register(() => seen += "cancelled ");
                    try
                    {
                        await context.Request.Body.ReadAsync(new byte[1]);
                    }
                    catch (ConnectionResetException)
                    {
                        seen += "reset";
                    }
                    await Until(() => seen.Contains("cancelled"));
                },
                "POST",
                RequestFlags.HasBody);
            FakeNative.Begin(request);
            FakeNative.Abort(request.Id);
            await Check.InTime(request.Completed);
            Check.Equal(true, seen.Contains("reset"), seen);
        }

        public static async Task ClientThatLeftBeforeItsRequestCameIsKnown()
        {
            var aborted = false;
            var request = FakeApp.Request(context =>
            {
                aborted = context.RequestAborted.IsCancellationRequested;
                return Task.CompletedTask;
            });
            FakeNative.Abort(request.Id);
            await Run(request);
            Check.Equal(true, aborted);
        }

        public static async Task LateNoticeDoesNotTouchTheNextRequest()
        {
            var first = FakeApp.Request(context => Task.CompletedTask);
            await Run(first);
            var aborted = true;
            var second = FakeApp.Request(async context =>
            {
                FakeNative.Abort(first.Id);
                FakeNative.ReadReady(first.Id);
                FakeNative.WriteReady(first.Id);
                await Task.Delay(20);
                aborted = context.RequestAborted.IsCancellationRequested;
            });
            var sameSlot = new FakeRequest(first.Id + (1UL << 32), target: "/" + (uint)second.Id);
            await Run(sameSlot);
            Check.Equal(false, aborted);
        }

        public static async Task ReaderThatTheAppLeftBehindTakesNothingOfTheNextRequest()
        {
            Task<int>? left = null;
            var first = FakeApp.Request(
                context =>
                {
                    left = context.Request.Body.ReadAsync(new byte[16]).AsTask();
                    return Task.CompletedTask;
                },
                "POST",
                RequestFlags.HasBody);
            await Run(first);
            var asked = new TaskCompletionSource<bool>();
            var second = FakeApp.Request(
                async context =>
                {
                    var buffer = new byte[16];
                    var reading = context.Request.Body.ReadAsync(buffer).AsTask();
                    asked.SetResult(true);
                    await context.Response.Body.WriteAsync(buffer, 0, await reading);
                },
                "POST",
                RequestFlags.HasBody);
            var sameSlot = new FakeRequest(
                first.Id + (1UL << 32), "POST", "/" + (uint)second.Id, RequestFlags.HasBody);
            FakeNative.Begin(sameSlot);
            await Check.InTime(asked.Task);
            sameSlot.AddBody("mine");
            sameSlot.EndBody();
            FakeNative.ReadReady(sameSlot.Id);
            await Check.InTime(sameSlot.Completed);
            Check.Equal(true, sameSlot.Calls.Contains("mine"));
            await Until(() => left!.IsFaulted);
        }

        public static async Task UserOfTheFrontIsTheAppsUser()
        {
            var name = "";
            var request = FakeApp.Request(context =>
            {
                name = context.User.Identity.Name + " " + context.User.Identity.AuthenticationType +
                    context.User.IsInRole("admins") + context.User.IsInRole("Admins") + context.User.IsInRole("staff");
                return Task.CompletedTask;
            });
            request.User = "alice@REALM";
            await Run(request);
            Check.Equal("alice@REALM KerberosTrueFalseTrue", name);
        }

        /// <summary>SignalR offers WebSockets where the feature is, to a request that asks for none.</summary>
        public static async Task UpgradesAreOfferedToAllAndGivenToWhoAsks()
        {
            foreach (var (flags, version) in new[]
            {
                (RequestFlags.CanUpgrade, 11), (RequestFlags.None, 11), (RequestFlags.None, 20),
            })
            {
                var said = "";
                var request = FakeApp.Request(context =>
                {
                    var upgrade = context.Features.Get<IHttpUpgradeFeature>();
                    said = $"{upgrade != null} {upgrade?.IsUpgradableRequest}";
                    if (upgrade?.IsUpgradableRequest == false)
                    {
                        Check.Throws<InvalidOperationException>(() => upgrade.UpgradeAsync().GetAwaiter().GetResult());
                    }
                    return Task.CompletedTask;
                }, flags: flags, version: version);
                await Run(request);
                Check.Equal("True " + (flags == RequestFlags.CanUpgrade), said);
            }
        }

        public static async Task NobodyIsTheUserOfTheNextRequestInTheSamePlace()
        {
            var name = "";
            var first = FakeApp.Request(context => Task.CompletedTask);
            first.User = "alice@REALM";
            await Run(first);
            var second = FakeApp.Request(context =>
            {
                name = context.User.Identity.Name + context.User.Identity.IsAuthenticated;
                return Task.CompletedTask;
            });
            await Run(second);
            Check.Equal("False", name);
        }

        public static async Task FactsOfTheHandshakeAreTheApps()
        {
            var facts = "";
            var request = FakeApp.Request(context =>
            {
                var tls = context.Features.Get<ITlsHandshakeFeature>();
                facts = $"{tls.Protocol} {tls.CipherAlgorithm} {tls.CipherStrength} " +
                    $"{((Server.TlsFacts)tls).NegotiatedCipherSuite} {((Server.TlsFacts)tls).HostName} " +
                    (context.Features.Get<ITlsConnectionFeature>()?.ClientCertificate == null);
                return Task.CompletedTask;
            });
            request.Tls = "site.test";
            await Run(request);
            Check.Equal("Tls13 Aes128 128 TLS_AES_128_GCM_SHA256 site.test True", facts);
        }

        public static async Task WithoutTlsThereAreNoFactsOfIt()
        {
            var none = false;
            var request = FakeApp.Request(context =>
            {
                none = context.Features.Get<ITlsHandshakeFeature>() == null &&
                    context.Features.Get<ITlsConnectionFeature>() == null;
                return Task.CompletedTask;
            });
            await Run(request);
            Check.Equal(true, none);
        }

        public static async Task WriterTellsWhatItHoldsWhereItCanBeAsked()
        {
            var held = "";
            var request = FakeApp.Request(async context =>
            {
                var writer = context.Response.BodyWriter;
                var (may, count) = (typeof(PipeWriter).GetProperty("CanGetUnflushedBytes"), typeof(PipeWriter).GetProperty("UnflushedBytes"));
                string Told() => count == null ? "" : $"{may!.GetValue(writer)} {count.GetValue(writer)};";
                writer.GetSpan(3);
                writer.Advance(3);
                held += Told();
                await writer.FlushAsync();
                held += Told();
            });
            await Run(request);
            Check.Equal(Environment.Version.Major < 6 ? "" : "True 3;True 0;", held);
        }

        public static async Task AppMayWishForTheConnectionsEnd()
        {
            var request = FakeApp.Request(context =>
            {
                context.Features.Get<IConnectionLifetimeNotificationFeature>().RequestClose();
                return Task.CompletedTask;
            });
            await Run(request);
            Check.Equal(true, request.Fields.Contains("Connection: close"));
        }

        public static unsafe void PathBaseIsMatchedBySegmentsInAnyCase()
        {
            foreach (var (target, pathBase, path) in new[]
            {
                ("/shop/a", "/shop", "/a"), ("/SHOP", "/SHOP", ""), ("/shopping", "", "/shopping"), ("/x/shop", "", "/x/shop"),
            })
            {
                var reader = new Http.TargetReader();
                reader.Read(*new FakeRequest(0, target: target).Head(), "/Shop");
                Check.Equal(pathBase, reader.PathBase, target);
                Check.Equal(path, reader.Path, target);
            }
        }

        public static unsafe void QueryKeepsItsQuestionMark()
        {
            foreach (var (target, query) in new[] { ("/x", ""), ("/x?", "?"), ("/x?a=%20", "?a=%20"), ("/x??", "??") })
            {
                var reader = new Http.TargetReader();
                reader.Read(*new FakeRequest(0, target: target).Head(), "");
                Check.Equal(query, reader.Query, target);
            }
        }

        public static async Task TrailersEndAnAnswerOverHttp2()
        {
            var request = FakeApp.Request(
                async context =>
                {
                    await context.Response.WriteAsync("body");
                    context.Response.AppendTrailer("X-T", "1");
                },
                version: 20);
            await Run(request);
            Check.Equal("start 200 body\ntrailers 1", request.Calls);
        }

        public static async Task UpgradedConnectionIsReadAndWritten()
        {
            var request = FakeApp.Request(
                async context =>
                {
                    using var stream = await context.Features.Get<IHttpUpgradeFeature>().UpgradeAsync();
                    var buffer = new byte[10];
                    var read = await stream.ReadAsync(buffer, 0, buffer.Length);
                    await stream.WriteAsync(buffer, 0, read);
                },
                flags: RequestFlags.CanUpgrade);
            FakeNative.Begin(request);
            await Until(() => request.Calls == "start 101");
            request.AddBody("ping");
            FakeNative.ReadReady(request.Id);
            await Check.InTime(request.Completed);
            Check.Equal("start 101\nwrite ping\nwrite END", request.Calls);
            Check.Equal("Connection: Upgrade", request.Fields.Single());
        }

        public static async Task LimitOfTheBodyReachesNative()
        {
            var request = FakeApp.Request(
                context =>
                {
                    context.Features.Get<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = 7;
                    return Task.CompletedTask;
                },
                "POST",
                RequestFlags.HasBody);
            await Run(request);
            Check.Equal((long?)7, request.MaxBody);
        }

        private static async Task Run(FakeRequest request)
        {
            FakeNative.Begin(request);
            await Check.InTime(request.Completed);
        }

        /// <summary>As after a pause, which another thread may see the end of before this one has noticed.</summary>
        private static void HoldNothing(HttpContext context) =>
            context.Features.Get<IHttpResponseBodyFeature>().DisableBuffering();

        private static async Task Until(Func<bool> condition)
        {
            for (var round = 0; !condition(); round++)
            {
                if (round == 4000)
                {
                    throw new TimeoutException("it did not happen in time");
                }
                await Task.Delay(5);
            }
        }
    }
}
