using System;
using System.Linq;
using Ancm.Hosting.Server;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Ancm.Hosting.Startup
{
    /// <summary>Puts our server in the place of whichever the app chose.</summary>
    internal static class ServerReplacement
    {
        /// <summary>Whether some host will get our server.</summary>
        public static bool IsArranged { get; private set; }

        public static void Arrange(IHostBuilder builder)
        {
            IsArranged = true;
            builder.ConfigureServices((_, services) => Replace(services));
        }

        public static void Arrange(IWebHostBuilder builder)
        {
            IsArranged = true;
            builder.ConfigureServices(services => Replace(services));
        }

        /// <summary>A host without a server (a console app's) is left as it is; so is one that was here already.</summary>
        private static void Replace(IServiceCollection services)
        {
            var server = services.LastOrDefault(service => service.ServiceType == typeof(IServer));
            if (server == null || server.ImplementationType == typeof(NativeServer))
            {
                return;
            }
            services.RemoveAll<IServer>();
            services.AddSingleton<IServer, NativeServer>();
            services.RemoveAll<IHostLifetime>();
            services.AddSingleton<IHostLifetime, NativeLifetime>();
            // First of all, so that the app's own settings win.
            services.Insert(0, ServiceDescriptor.Singleton<IConfigureOptions<IISServerOptions>>(
                new ConfigureOptions<IISServerOptions>(Configure)));
            if (Settings.Current.ForwardsUser)
            {
                AddWindowsAuthentication(services);
            }
        }

        /// <summary>
        /// The options of IIS's own in-process server, which an app that is meant for it sets already: synchronous
        /// I/O, the largest body, the automatic user.
        /// </summary>
        private static void Configure(IISServerOptions options) =>
            options.MaxRequestBodySize = Settings.Current.MaxRequestBody;

        private static void AddWindowsAuthentication(IServiceCollection services)
        {
            services.AddAuthenticationCore();
            services.AddOptions<AuthenticationOptions>().Configure<IOptions<IISServerOptions>>((options, server) =>
            {
                if (options.Schemes.All(scheme => scheme.Name != WindowsAuthenticationHandler.Scheme))
                {
                    options.AddScheme<WindowsAuthenticationHandler>(
                        WindowsAuthenticationHandler.Scheme, server.Value.AuthenticationDisplayName);
                }
            });
        }
    }
}
