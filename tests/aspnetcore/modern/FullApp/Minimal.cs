using System;
using System.IO;
using System.Security.Cryptography;
using System.Threading;
using System.Threading.RateLimiting;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ModelBinding;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.DependencyInjection;

namespace FullApp
{
    /// <summary>What the older frameworks have not: endpoints by the types of their parameters, and newer middleware.</summary>
    internal static class Minimal
    {
        private static int _answers;

        public static void AddServices(IServiceCollection services)
        {
            services.AddOutputCache();
            services.AddRequestTimeouts();
            services.AddRateLimiter(options =>
            {
                options.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
                options.AddFixedWindowLimiter("once", window =>
                {
                    window.PermitLimit = 1;
                    window.Window = TimeSpan.FromDays(1);
                });
            });
        }

        public static void Map(WebApplication app)
        {
            app.UseRouting();
            app.UseRequestTimeouts();
            app.UseRateLimiter();
            app.UseOutputCache();
            app.MapGet("/minimal/item/{id:int}", (Func<int, string, object>)((id, name) => new { id, name }));
            app.MapPost("/minimal/order", (Func<Order, IResult>)(order => Results.Json(order)));
            app.MapPost("/minimal/optional", (Func<Order, IResult>)Optional);
            app.MapPost("/minimal/file", (Func<IFormFile, Task<IResult>>)FileAsync).DisableAntiforgery();
            app.MapGet("/minimal/bytes", (Func<IResult>)(() => Results.Bytes(
                new byte[] { 48, 49, 50, 51, 52 }, "text/plain", enableRangeProcessing: true)));
            app.MapGet("/minimal/cached", (Func<string>)(() => Interlocked.Increment(ref _answers).ToString()))
                .CacheOutput();
            app.MapGet("/minimal/once", (Func<string>)(() => "once")).RequireRateLimiting("once");
            app.MapGet("/minimal/late", (Func<HttpContext, Task>)(context =>
                Task.Delay(Timeout.Infinite, context.RequestAborted))).WithRequestTimeout(TimeSpan.FromMilliseconds(50));
            app.MapGet("/minimal/close", (Func<HttpContext, string>)(context =>
            {
                context.Features.Get<IConnectionLifetimeNotificationFeature>().RequestClose();
                return "goodbye";
            }));
            app.MapMethods("/minimal/features", new[] { "GET", "POST" }, (Func<HttpContext, object>)Features);
        }

        private static IResult Optional([FromBody(EmptyBodyBehavior = EmptyBodyBehavior.Allow)] Order order) =>
            Results.Text(order?.Name ?? "nothing");

        private static async Task<IResult> FileAsync(IFormFile file)
        {
            using var content = new MemoryStream();
            await file.CopyToAsync(content);
            return Results.Json(new { file.FileName, file.Length, sha256 = Convert.ToHexString(SHA256.HashData(content.ToArray())) });
        }

        /// <summary>By the interfaces as they are now.</summary>
        private static object Features(HttpContext context)
        {
            var features = context.Features;
            var tls = features.Get<ITlsHandshakeFeature>();
            return new
            {
                canHaveBody = features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody,
                isExtendedConnect = features.Get<IHttpExtendedConnectFeature>()?.IsExtendedConnect ?? false,
                suite = tls?.NegotiatedCipherSuite?.ToString(),
                serverName = tls?.HostName,
                activity = features.Get<IHttpActivityFeature>() != null,
                trailers = features.Get<IHttpResponseTrailersFeature>() != null,
                reset = features.Get<IHttpResetFeature>() != null,
                server = context.RequestServices.GetRequiredService<IServer>().GetType().Name,
            };
        }

        public sealed class Order
        {
            public string Name { get; set; }

            public int Count { get; set; }
        }
    }
}
