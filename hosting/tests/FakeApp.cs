using System;
using System.Collections.Concurrent;
using System.Threading;
using System.Threading.Tasks;
using Ancm.Hosting.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Ancm.Hosting.Tests
{
    /// <summary>One server for all tests, since a process can have but one; each test's app is found by the path.</summary>
    internal sealed class FakeApp : IHttpApplication<HttpContext>, IHostApplicationLifetime
    {
        private static readonly ConcurrentDictionary<string, RequestDelegate> _apps =
            new ConcurrentDictionary<string, RequestDelegate>();

        private static int _slot;

        public static FakeApp Instance { get; } = New();

        public CancellationTokenSource Stopping { get; } = new CancellationTokenSource();

        public CancellationToken ApplicationStarted => default;

        public CancellationToken ApplicationStopping => Stopping.Token;

        public CancellationToken ApplicationStopped => default;

        /// <summary>A request that runs an app, in a slot of its own.</summary>
        public static FakeRequest Request(
            RequestDelegate app, string method = "GET", Abi.RequestFlags flags = Abi.RequestFlags.None, int version = 11)
        {
            _ = Instance;
            var slot = Interlocked.Increment(ref _slot);
            var path = "/" + slot;
            _apps[path] = app;
            return new FakeRequest(((ulong)1 << 32) | (uint)slot, method, path, flags, version);
        }

        public void StopApplication() => Stopping.Cancel();

        public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

        public Task ProcessRequestAsync(HttpContext context) => _apps[context.Request.Path.Value](context);

        public void DisposeContext(HttpContext context, Exception exception)
        {
        }

        private static FakeApp New()
        {
            var app = new FakeApp();
            var server = new NativeServer(Options.Create(new IISServerOptions()), NullLoggerFactory.Instance, app);
            server.StartAsync(app, default).GetAwaiter().GetResult();
            return app;
        }
    }
}
